# Turnup::Meter: what the processes of one Turnup have used, by group: nginx,
# redis, postgres (with all its processes), sim, and turnupd's pools one by
# one. From /proc, so it costs the measured processes nothing.
package Turnup::Meter;
use v5.32;
use strict;
use warnings;
use POSIX ();
use Process;
use Turnup;

use constant TICKS => POSIX::sysconf(&POSIX::_SC_CLK_TCK);

my @servers = qw(nginx redis postgres sim);

# { group => CPU seconds since each process began }, children that ended and
# were waited for included. The difference of two readings is what was used
# between them.
sub cpu {
    my ($turnup) = @_;
    my %used;
    my $pids = groups($turnup);
    for my $group (keys %$pids) {
        $used{$group} = 0;
        for my $pid (@{ $pids->{$group} }) {
            my $stat  = read_file("/proc/$pid/stat") // next;
            my @field = split ' ', $stat =~ s/.*\) //sr;

            # utime, stime, cutime, cstime; see proc(5)
            $used{$group} += $_ / TICKS for @field[ 11 .. 14 ];
        }
    }
    return \%used;
}

# What nginx, Redis, turnupd and PostgreSQL hold together, in MiB: Pss, which
# shares shared pages out among those that share them.
sub memory {
    my ($turnup) = @_;
    my $pids     = groups($turnup);
    my $kib      = 0;
    for my $pid (map { @{ $pids->{$_} } } grep { $_ ne 'sim' } keys %$pids) {
        my $rollup = read_file("/proc/$pid/smaps_rollup") // next;
        $kib += $1 if $rollup =~ /^Pss:\s+(\d+) kB/m;
    }
    return $kib / 1024;
}

sub groups {
    my ($turnup) = @_;
    my %pids;
    for my $server (@servers) {
        my $pid = $turnup->pid_of($server) // next;
        $pids{$server} = [ $pid, Turnup::descendants($pid) ];
    }
    my $supervisor = $turnup->pid_of('turnupd') // return \%pids;
    $pids{'turnupd supervisor'} = [$supervisor];
    for my $pid (Turnup::descendants($supervisor)) {
        my ($pool) = Turnup::title($pid) =~ /^turnupd: (\S+)/;
        push @{ $pids{ 'turnupd ' . ($pool // '?') } }, $pid;
    }
    return \%pids;
}

1;
