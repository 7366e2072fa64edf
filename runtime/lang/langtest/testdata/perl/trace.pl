use strict;
sub inner {
    my $n = shift;
    return 10 / $n; # HERE
}
sub outer { return inner($_[0] - 1); }
print outer(1);
