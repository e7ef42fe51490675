# See README.md in this folder. Not part of make check.
EXTRA_DIST += %reldir%/README.md %reldir%/run %reldir%/trace %reldir%/scale %reldir%/imap %reldir%/imap_servers.py %reldir%/imap-idle %reldir%/imap-search %reldir%/RESULTS.md %reldir%/RESULTS-imap.md %reldir%/RESULTS-imap-idle.md %reldir%/RESULTS-scale.md %reldir%/tables
