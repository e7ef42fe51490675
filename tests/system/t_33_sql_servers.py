"""pgsql: and mysql: against real servers of Debian's packages, started in temporary folders."""

import glob
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import unittest

from instance import BUILD, process, wait

ROWS = [("alice@example.test", "one"), ("alice@example.test", "two"), ("it's", "quote"), ("ümlaut", "ünicode"), ("null", None)]


class Servers(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o755)
        (self.folder / "etc").mkdir()
        for name in ("main.cf", "master.cf"):
            (self.folder / "etc" / name).write_text("")

    def account(self, name):
        """Servers do not run as root: their own account, or we ourselves."""
        if os.geteuid() != 0:
            return {}
        entry = pwd.getpwnam(name)
        os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def ask(self, table, key):
        result = subprocess.run([BUILD / "commands/postmap", "-c", self.folder / "etc", "-q", key, table], text=True,
                                capture_output=True, timeout=60)
        return result.stdout.strip() if result.returncode == 0 else result.stderr.strip() or None

    def check(self, kind, settings):
        """The same questions to both."""
        table = self.folder / "t.cf"
        def write(query, more=""):
            table.write_text(f"{settings}\nquery = {query}\n{more}")
        write("SELECT v FROM t WHERE k='%s'")
        self.assertEqual(self.ask(f"{kind}:{table}", "alice@example.test"), "one,two")
        self.assertIsNone(self.ask(f"{kind}:{table}", "nobody"))
        self.assertIsNone(self.ask(f"{kind}:{table}", "null"))
        self.assertEqual(self.ask(f"{kind}:{table}", "it's"), "quote")
        self.assertEqual(self.ask(f"{kind}:{table}", "ümlaut"), "ünicode")
        for attack in ("' OR '1'='1", "x\\' OR 1=1 -- ", '" OR ""="', "%27 OR 1=1"):
            self.assertIsNone(self.ask(f"{kind}:{table}", attack), attack)
        write("SELECT v FROM t WHERE k='%u@%d' ORDER BY v DESC", "result_format = [%s]\n")
        self.assertEqual(self.ask(f"{kind}:{table}", "alice@example.test"), "[two],[one]")
        self.assertIsNone(self.ask(f"{kind}:{table}", "alice"))
        write("SELECT v FROM t WHERE k='%s'", "expansion_limit = 1\n")
        self.assertIn("more than expansion_limit", self.ask(f"{kind}:{table}", "alice@example.test"))
        write("SELECT nonsense FROM nowhere WHERE k='%s'")
        self.assertIn(f"{kind}: query: ", self.ask(f"{kind}:{table}", "alice"))
        table.write_text(settings.replace("hosts = ", "hosts = unix:/nonexistent, ") + "\nquery = SELECT v FROM t WHERE k='%s'\n")
        self.assertEqual(self.ask(f"{kind}:{table}", "it's"), "quote")  # the second host

    def test_postgresql(self):
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not programs:
            self.skipTest("PostgreSQL is not installed (package postgresql)")
        bin = pathlib.Path(programs[-1])
        who = self.account("postgres")
        run = dict(cwd=self.folder, check=True, capture_output=True, timeout=120, **who)
        subprocess.run([bin / "initdb", "-D", self.folder / "db", "-A", "trust", "-U", "mail", "--no-sync", "-E", "UTF8",
                        "--locale=C"], **run)
        with process(bin / "postgres", "-D", self.folder / "db", "-k", self.folder, "-c", "listen_addresses=", "-F",
                     cwd=self.folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **who):
            psql = [bin / "psql", "-h", self.folder, "-U", "mail", "-d", "postgres", "-v", "ON_ERROR_STOP=1"]
            wait(lambda: subprocess.run([*psql, "-c", "SELECT 1"], capture_output=True).returncode == 0, "PostgreSQL", seconds=60)
            values = ", ".join("('{}', {})".format(k.replace("'", "''"), "NULL" if v is None else f"'{v}'") for k, v in ROWS)
            subprocess.run([*psql, "-c", f"CREATE TABLE t (k TEXT, v TEXT); INSERT INTO t VALUES {values}"], check=True,
                           capture_output=True)
            self.check("pgsql", f"hosts = unix:{self.folder}\nuser = mail\ndbname = postgres")
        self.assertIn("pgsql: connect: ", self.ask(f"pgsql:{self.folder}/t.cf", "it's"))

    def test_mariadb(self):
        server = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
        if server is None:
            self.skipTest("MariaDB is not installed (package mariadb-server)")
        who = self.account("mysql")
        socket = self.folder / "socket"
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/db", "--auth-root-authentication-method=normal",
                        "--skip-test-db"], cwd=self.folder, check=True, capture_output=True, timeout=180, **who)
        with process(server, "--no-defaults", f"--datadir={self.folder}/db", f"--socket={socket}", "--skip-networking",
                     f"--pid-file={self.folder}/pid", "--innodb-flush-log-at-trx-commit=0", cwd=self.folder,
                     stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **who):
            client = ["mariadb", "--no-defaults", f"--socket={socket}", "-u", "root", "--default-character-set=utf8mb4"]
            wait(lambda: subprocess.run([*client, "-e", "SELECT 1"], capture_output=True).returncode == 0, "MariaDB", seconds=60)
            values = ", ".join("('{}', {})".format(k.replace("'", "''"), "NULL" if v is None else f"'{v}'") for k, v in ROWS)
            subprocess.run([*client, "-e", "CREATE DATABASE m CHARACTER SET utf8mb4; USE m; CREATE TABLE t (k VARCHAR(100), v TEXT); "
                            f"INSERT INTO t VALUES {values}; CREATE USER mail IDENTIFIED BY 'secret'; GRANT SELECT ON m.* TO mail"],
                           check=True, capture_output=True)
            self.check("mysql", f"hosts = unix:{socket}\nuser = mail\npassword = secret\ndbname = m")
        self.assertIn("mysql: connect: ", self.ask(f"mysql:{self.folder}/t.cf", "it's"))
