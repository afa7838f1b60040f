"""Mistakes between volt, millivolt and microvolt, known by the size that EEG then has."""

USUAL_UV = (2.0, 200.0)  # standard deviations that a factor must give to be named as the likely one
POSSIBLE_UV = (0.5, 500.0)  # the same where no EEG can be right without a factor
MISTAKES = (("1e3", "looks like millivolts", "microvolt", "millivolt"),
            ("1e6", "looks like volts", "microvolt", "volt"),
            ("1e-3", "looks like microvolts taken for millivolts", "millivolt", "microvolt"),
            ("1e-6", "looks like microvolts taken for volts", "volt", "microvolt"))


def unit_mistake(size: float, right_uv: tuple[float, float] = USUAL_UV) -> str | None:
    """Which mistake in the unit explains a standard deviation of EEG, and what to do.

    Parameters
    ----------
    size : float
        As if in microvolt; one that EEG does not have.
    right_uv : tuple of float
        What a factor must give: lowest and highest.

    Returns
    -------
    str or None
        Goes on after "which"; None where no factor gives that.
    """
    for factor, looks, named, stored in MISTAKES:
        right = size * float(factor)
        if right_uv[0] <= right <= right_uv[1]:
            return (f"{looks}: times {factor} it would be {right:.2g} microvolt, so the file probably names {named} "
                    f"for numbers in {stored}. Correct the unit in the file, or multiply the numbers by {factor}.")
    return None


def likely_unit(size: float, right_uv: tuple[float, float] = USUAL_UV) -> str:
    """As `unit_mistake`, with a sentence also where no mistake explains it."""
    return unit_mistake(size, right_uv) or ("no mistake between volt, millivolt and microvolt explains. Look at the "
                                            "signals, or take the file away.")
