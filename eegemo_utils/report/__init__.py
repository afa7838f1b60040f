"""A static site over many runs: a start page, and each executed notebook as a page.

Every page is one file with all it needs inside: it opens from a folder, needs no network and asks for none (its
own content policy forbids it), prints, and works with a keyboard and on a narrow screen.
"""

from .site import Site, build_site

__all__ = ["Site", "build_site"]
