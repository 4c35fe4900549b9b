"""The README without relative pictures and links, which a package index cannot show."""

import re
from pathlib import Path

from setuptools import setup

readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
without_pictures = re.sub(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n+", "", readme)
setup(
    long_description=re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", without_pictures),
    long_description_content_type="text/markdown",
)
