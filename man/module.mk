# See README.md in this folder.

nodist_man_MANS += man/postconf.5
nodist_html_DATA = man/postconf.5.html
CLEANFILES += man/postconf.5.html
man/postconf.5.html: commands/postconf$(EXEEXT)
	@$(MKDIR_P) man
	$(AM_V_GEN)commands/postconf$(EXEEXT) --html-manual >$@.tmp && mv $@.tmp $@
CLEANFILES += man/postconf.5
man/postconf.5: commands/postconf$(EXEEXT)
	@$(MKDIR_P) man
	$(AM_V_GEN)commands/postconf$(EXEEXT) --manual >$@.tmp && mv $@.tmp $@
dist_man_MANS += %reldir%/imapd.8
dist_man_MANS += %reldir%/auth.8 %reldir%/introspect.8 %reldir%/login.8 %reldir%/pop3d.8
dist_man_MANS += %reldir%/smtp-source.1 %reldir%/smtpd.8
dist_man_MANS += %reldir%/cleanup.8 %reldir%/pickup.8 %reldir%/sendmail.1 %reldir%/postdrop.1 %reldir%/postcat.1
dist_man_MANS += %reldir%/smtp-sink.1 %reldir%/smtp.8
dist_man_MANS += %reldir%/postconf.1 %reldir%/postlog.1 %reldir%/postkick.1 %reldir%/postlock.1 %reldir%/postmulti.1 %reldir%/master.5 %reldir%/postern.1 %reldir%/master.8
EXTRA_DIST += %reldir%/README.md
dist_man_MANS += %reldir%/qmgr.8 %reldir%/bounce.8 %reldir%/bounce.5 %reldir%/ldap_table.5 %reldir%/memcache_table.5 %reldir%/error.8 %reldir%/pipe.8 %reldir%/peername.8 %reldir%/postscreen.8 %reldir%/anvil.8 %reldir%/verify.8 %reldir%/showq.8 %reldir%/postqueue.1 %reldir%/mailq.1 %reldir%/postsuper.1 %reldir%/qshape.1 %reldir%/mailtrace.1
dist_man_MANS += %reldir%/trivial-rewrite.8 %reldir%/policy.8 %reldir%/local.8 %reldir%/virtual.8 \
	%reldir%/postmap.1 %reldir%/postalias.1 %reldir%/newaliases.1 \
	%reldir%/aliases.5 %reldir%/virtual.5 %reldir%/transport.5
