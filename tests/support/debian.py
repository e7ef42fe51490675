"""Programs of Debian's packages, unpacked into a folder and not installed: for tests beside the real thing."""

import os
import pathlib
import subprocess
import tempfile
import unittest

CACHE = pathlib.Path(os.environ.get("POSTERN_DEBIAN", f"{tempfile.gettempdir()}/postern-debian-{os.geteuid()}"))


def unpack(*packages):
    """The folder with the packages' files; the test is skipped when they cannot be had."""
    CACHE.mkdir(mode=0o755, exist_ok=True)
    if CACHE.stat().st_uid != os.geteuid():
        raise unittest.SkipTest(f"{CACHE} belongs to somebody else")
    root = CACHE / "root"
    for package in packages:
        if (CACHE / f"{package}.unpacked").exists():
            continue
        try:
            got = subprocess.run(["apt-get", "-q", "download", package], cwd=CACHE, text=True, capture_output=True, timeout=120)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise unittest.SkipTest(f"apt-get download {package}: {error}")
        files = sorted(CACHE.glob(f"{package}_*.deb"))
        if not files:
            raise unittest.SkipTest(f"apt-get download {package}: {got.stderr.strip().splitlines()[-1:]}")
        subprocess.run(["dpkg", "-x", files[-1], root], check=True)
        (CACHE / f"{package}.unpacked").touch()
    return root


class Postfix:
    """Debian's Postfix as far as its commands go: a configuration folder of its own for postmap, postconf…"""

    MODULES = ("pcre", "lmdb", "cdb", "sqlite")

    def __init__(self, folder):
        self.root = unpack("postfix", *(f"postfix-{name}" for name in self.MODULES))
        self.etc = pathlib.Path(folder)
        self.etc.mkdir(exist_ok=True)
        lib = self.root / "usr/lib/postfix"
        (self.etc / "main.cf").write_text(f"compatibility_level = 3.6\nshlib_directory = {lib}\nmeta_directory = {self.etc}\n"
                                          f"daemon_directory = {lib}/sbin\ncommand_directory = {self.root}/usr/sbin\n"
                                          f"queue_directory = {self.etc}\ndata_directory = {self.etc}\nmail_owner = uucp\nsetgid_group = news\n")
        (self.etc / "master.cf").write_text("")
        opener = "".join(f"{n}\t{lib}/postfix-{n}.so\tdict_{n}_open\t{f'mkmap_{n}_open' if n in ('lmdb', 'cdb') else ''}\n"
                         for n in self.MODULES)
        (self.etc / "dynamicmaps.cf").write_text(opener)

    def run(self, program, *words, input=None):
        environment = {**os.environ, "LD_LIBRARY_PATH": str(self.root / "usr/lib/postfix"), "MAIL_CONFIG": str(self.etc)}
        return subprocess.run([self.root / "usr/sbin" / program, *map(str, words)], env=environment, text=True, input=input,
                              capture_output=True, timeout=60)
