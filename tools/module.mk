# See README.md in this folder.
EXTRA_DIST += %reldir%/README.md %reldir%/check-layers %reldir%/check-style %reldir%/check-headers \
	%reldir%/check-man %reldir%/jumbo %reldir%/measure %reldir%/need-packages %reldir%/param-readers %reldir%/run-tests
