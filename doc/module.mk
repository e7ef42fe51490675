# See README.md in this folder.
EXTRA_DIST += %reldir%/README.md %reldir%/formats %reldir%/decisions %reldir%/postfix-differences.md %reldir%/dovecot-differences.md %reldir%/imap-extensions.md %reldir%/power-cut.md
