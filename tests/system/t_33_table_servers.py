"""pgsql:, mysql:, ldap: and memcache: against real servers of Debian's packages, started in temporary folders."""

import glob
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse

from instance import BUILD, process, wait

SLAPD = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=x,dc=test"
rootdn "cn=admin,dc=x,dc=test"
rootpw secret
directory {folder}/db
access to attrs=userPassword by * none
access to dn.subtree="ou=hidden,dc=x,dc=test" by * none
access to * by * read
"""

PEOPLE = """
dn: dc=x,dc=test
objectClass: dcObject
objectClass: organization
o: x
dc: x

dn: cn=ann,dc=x,dc=test
objectClass: inetOrgPerson
cn: ann
sn: Ann
uid: ann
mail: ann@x.test
mail: a@x.test

dn: cn=o(ne)*,dc=x,dc=test
objectClass: inetOrgPerson
cn: o(ne)*
sn: One
mail: o(ne)*@x.test
uid: one

dn: cn=all,dc=x,dc=test
objectClass: inetOrgPerson
cn: all
sn: All
mail: all@x.test
manager: cn=ann,dc=x,dc=test
manager: cn=o(ne)*,dc=x,dc=test
manager: cn=all,dc=x,dc=test

dn: ou=hidden,dc=x,dc=test
objectClass: organizationalUnit
ou: hidden

dn: cn=secret,ou=hidden,dc=x,dc=test
objectClass: inetOrgPerson
cn: secret
sn: Secret
mail: secret@x.test
uid: secret
"""

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

    def test_openldap(self):
        server = shutil.which("slapd", path=f"{os.environ['PATH']}:/usr/sbin")
        if server is None:
            self.skipTest("OpenLDAP's server is not installed (package slapd)")
        (self.folder / "db").mkdir()
        config, people = self.folder / "slapd.conf", self.folder / "people.ldif"
        config.write_text(SLAPD.format(folder=self.folder))
        people.write_text(PEOPLE)
        subprocess.run([server, "-T", "add", "-f", config, "-l", people], check=True, capture_output=True, timeout=60)
        uri = "ldapi://" + urllib.parse.quote(str(self.folder / "socket"), safe="")
        table, base = self.folder / "t.cf", f"server_host = {uri}\nsearch_base = dc=x,dc=test\n"

        def ask(key, settings):
            table.write_text(base + settings)
            return self.ask(f"ldap:{table}", key)

        uid = "query_filter = (mail=%s)\nresult_attribute = uid\nbind = no\n"
        with process(server, "-f", config, "-h", uri, "-d", "0", stderr=subprocess.DEVNULL):
            wait(lambda: (self.folder / "socket").exists() and ask("a@x.test", uid) == "ann", "slapd", seconds=60)
            self.assertIsNone(ask("nobody@x.test", uid))
            # What a key brings is text, whatever it looks like.
            self.assertEqual(ask("o(ne)*@x.test", uid), "one")
            for attack in ("*", "a*", "x)(uid=*", "ann@x.test)(|(uid=*)", "\\2a", "*@x.test"):
                self.assertIsNone(ask(attack, uid), attack)
            mail = "query_filter = mail=%u@%d\nresult_attribute = mail\nbind = no\n"
            self.assertEqual(set(ask("ann@x.test", mail).split(",")), {"ann@x.test", "a@x.test"})
            self.assertEqual(set(ask("ann@x.test", mail + "result_format = <%u>\n").split(",")), {"<ann>", "<a>"})
            self.assertIsNone(ask("ann@x.test", mail + "domain = y.test\n"))
            self.assertIn("more than expansion_limit", ask("ann@x.test", mail + "expansion_limit = 1\n"))
            self.assertIsNone(ask("ann@x.test", uid + "scope = base\n"))
            self.assertEqual(ask("ann@x.test", uid.replace("uid", "nosuch, uid")), "ann")
            in_base = uid.replace("(mail=%s)", "(objectclass=*)") + "scope = base\n"
            self.assertEqual(ask("ann", in_base + "search_base = cn=%s,dc=x,dc=test\n"), "ann")
            self.assertIsNone(ask("ann,dc=x", in_base + "search_base = cn=%s,dc=test\n"), "quoted in a name")
            # Members by their names; one that is its own member does not go on for ever.
            members = "query_filter = (mail=%s)\nspecial_result_attribute = manager\nleaf_result_attribute = uid\nbind = no\n"
            self.assertIn("recursion_limit = 5", ask("all@x.test", members + "recursion_limit = 5\n"))
            subprocess.run(["ldapmodify", "-x", "-H", uri, "-D", "cn=admin,dc=x,dc=test", "-w", "secret"], check=True,
                           capture_output=True, timeout=60, text=True,
                           input="dn: cn=all,dc=x,dc=test\nchangetype: modify\ndelete: manager\nmanager: cn=all,dc=x,dc=test\n")
            self.assertEqual(set(ask("all@x.test", members).split(",")), {"ann", "one"})
            # Who asks matters.
            admin = uid.replace("bind = no", "bind = yes\nbind_dn = cn=admin,dc=x,dc=test\nbind_pw = secret")
            self.assertIsNone(ask("secret@x.test", uid))
            self.assertEqual(ask("secret@x.test", admin), "secret")
            self.assertIn('ldap: bind as "cn=admin,dc=x,dc=test": Invalid credentials', ask("a@x.test", admin.replace("= secret", "= no")))
            self.assertIn("STARTTLS", ask("a@x.test", uid + "start_tls = yes\n"))
            self.assertIn("the files or ciphers for TLS: ", ask("a@x.test", uid + "start_tls = yes\ntls_ca_cert_file = /nonexistent\n"))
            self.assertEqual(ask("a@x.test", uid + f"server_host = ldapi://%2Fnonexistent {uri}\n"), "ann")
        self.assertIn("Can't contact LDAP server", ask("a@x.test", uid))
        for wrong, why in (("scope = all", "expected sub, one or base"), ("bind = sasl", "SASL is not there"), ("version = 4", "expected 2 or 3"),
                           ("dereference = 9", "expected 0 to 3"), ("timeout = soon", "expected a number")):
            self.assertIn(why, ask("a@x.test", wrong + "\n"))

    def test_memcached(self):
        server = shutil.which("memcached")
        if server is None:
            self.skipTest("memcached is not installed (package memcached)")
        address = f"memcache = unix:{self.folder}/socket\nretry_pause = 0\nkey_format = p-%s\n"
        both, alone = self.folder / "both.cf", self.folder / "alone.cf"
        both.write_text(address + "backup = inline:{a=1, b=2, { c d = 3 }}\n")
        alone.write_text(address)
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.folder.chmod(0o777)
        with process(server, *user, "-s", self.folder / "socket", "-a", "0777", stderr=subprocess.DEVNULL):
            wait(lambda: (self.folder / "socket").exists() and self.ask(f"memcache:{alone}", "a") is None, "memcached")
            self.assertEqual(self.ask(f"memcache:{both}", "a"), "1")
            self.assertEqual(self.ask(f"memcache:{alone}", "a"), "1", "the backup's answer is remembered")
            self.assertIsNone(self.ask(f"memcache:{alone}", "b"))
            self.assertIsNone(self.ask(f"memcache:{both}", "z"))
            self.assertEqual(self.ask(f"memcache:{both}", "c d"), "3", "a key that memcached cannot have")
            self.assertIsNone(self.ask(f"memcache:{alone}", "x\r\nset p-x 0 0 1\r\n1"))
            both.write_text(address + "backup = inline:{a=2}\n")
            self.assertEqual(self.ask(f"memcache:{both}", "a"), "1", "for ttl seconds")
            both.write_text(address + "backup = inline:{a=2}\ndata_size_limit = 0\n")
            self.assertEqual(self.ask(f"memcache:{both}", "a"), "2", "too long an answer is none")
        self.assertEqual(self.ask(f"memcache:{both}", "a"), "2")
        self.assertIn("alone.cf: connect to", self.ask(f"memcache:{alone}", "a"))
