use strict;
print "before\n";
exit 3;
