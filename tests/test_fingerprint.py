"""The fingerprint of the package: code counts, words about it do not."""

import pytest

from eegemo_utils.notebooks.provenance import code_digest, package_fingerprint

CODE = '''"""About."""
import math  # a comment


class Root:
    """A root."""

    power = 0.5

    def of(self, x, *, scale=None):
        """Return it."""
        return f"{math.pow(x, self.power):.2f}" + "a text"
'''


def digest(folder, text):
    path = folder / "code.py"
    path.write_text(text)
    return code_digest(path, path.stat().st_mtime_ns, hash(text))


@pytest.mark.parametrize(("old", "new"), [
    ('"""About."""', '"""About it, at length."""'), ('    """A root."""\n', ""), ("Return it.", "Return the root."),
    ("  # a comment", ""), ("\n\n\n", "\n"), ("math.pow(x,  self", "math.pow(x, self")])
def test_words_do_not_count(tmp_path, old, new):
    assert digest(tmp_path, CODE.replace(old, new)) == digest(tmp_path, CODE)


@pytest.mark.parametrize(("old", "new"), [
    ("0.5", "0.25"), ('"a text"', '"a Text"'), ("scale=None", "scale=0"), (":.2f", ":.3f"), ("*, scale", "scale"),
    ("class Root", "class Roots"), ("import math", "import cmath as math")])
def test_code_counts(tmp_path, old, new):
    assert CODE.replace(old, new) != CODE
    assert digest(tmp_path, CODE.replace(old, new)) != digest(tmp_path, CODE)


def test_it_is_the_same_each_time():
    assert package_fingerprint() == package_fingerprint()
