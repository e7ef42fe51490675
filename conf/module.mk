# The stock configuration goes to share/ always, and to the configuration directory where there is none.
stockdir = $(datadir)/postern
dist_stock_DATA = %reldir%/main.cf %reldir%/master.cf %reldir%/aliases
systemdunitdir = $(prefix)/lib/systemd/system
nodist_systemdunit_DATA = conf/postern.service
# "sysctl --system", or the next start of the host, makes it take effect.
sysctldir = $(prefix)/lib/sysctl.d
dist_sysctl_DATA = %reldir%/postern-sysctl.conf
EXTRA_DIST += %reldir%/README.md %reldir%/postern.service.in
CLEANFILES += conf/postern.service

conf/postern.service: $(top_srcdir)/conf/postern.service.in Makefile
	@$(MKDIR_P) conf
	$(AM_V_GEN)$(SED) -e 's|@sbindir[@]|$(sbindir)|g' $(top_srcdir)/conf/postern.service.in >$@

install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(sysconfdir)/postfix'
	for file in main.cf master.cf; do \
	    test -e "$(DESTDIR)$(sysconfdir)/postfix/$$file" || \
	    $(INSTALL_DATA) "$(top_srcdir)/conf/$$file" "$(DESTDIR)$(sysconfdir)/postfix/$$file" || exit 1; \
	done
