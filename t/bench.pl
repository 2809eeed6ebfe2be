#!/usr/bin/perl
# bench: the figures of `make bench`, from a private turnup on this machine.
#
#   accept   POST of service orders, no family at work: orders/s, latency
#   read     GET of one order by id: requests/s, latency
#   life     orders to their end, as fast as it goes with a bounded number
#            under way: orders/s, CPU and memory by process
#   half     orders at half that rate: time from POST to completed
#
# The load generator and the simulated network run on the same cores. Every
# phase runs BENCH_RUNS times (3); each figure is the median of its runs.
# --json prints the same as JSON. BENCH_SECONDS: length of a run (4; a life
# takes 2.5 times that).
use v5.32;
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use File::Path qw(make_path remove_tree);
use IO::Select;
use JSON::PP;
use Time::HiRes qw(time);
use Turnup;
use Turnup::Meter;
use Turnup::Port;
use Process;

use constant {
    CONNECTIONS  => 128,    # 64 leave two cores idle for a third of the time
    WINDOW       => 1000,
    LIFE_LONGER  => 2.5,
    MEMORY_EVERY => 2,      # seconds; a look costs the machine 10 ms
};

my $root    = "$FindBin::RealBin/..";
my $runs    = $ENV{BENCH_RUNS}    // 3;
my $seconds = $ENV{BENCH_SECONDS} // 4;
my $build   = $ENV{TURNUP_BUILD}  // "$root/build/release";
my $home    = "$root/build/bench";
my $as_json = grep { $_ eq '--json' } @ARGV;
my $json    = JSON::PP->new->canonical->pretty;
my %figures;    # name => [ unit, values of the runs ]
my @order;      # names as they came

alarm 0;        # a bench may take as long as it takes
exit main();

sub main {
    remove_tree($home);
    make_path($home);
    accepting();
    my $rate = life();
    half($rate);
    my $report = report();
    print $as_json ? $json->encode($report) : table($report);
    return 0;
}

# POST and GET. A fresh database; the family pools pause, so that only the
# accept path works.
sub accepting {
    my $turnup = begin('accept', conf => { 'turnup.paused' => 'yes' });
    my $ids    = "$home/ids";
    for (1 .. $runs) {
        my $post = load($turnup, 'post', $seconds, '--ids', $ids);
        figure('accept',        'orders/s', $post->{perSecond});
        figure('accept p50',    'ms',       $post->{p50ms});
        figure('accept p99',    'ms',       $post->{p99ms});
        figure('accept errors', 'requests', errors($post));
        my $get = load($turnup, 'get', $seconds, '--ids', $ids);
        figure('read',        'requests/s', $get->{perSecond});
        figure('read p50',    'ms',         $get->{p50ms});
        figure('read p99',    'ms',         $get->{p99ms});
        figure('read errors', 'requests',   errors($get));
    }
    end($turnup);
}

# Returns the median of completed orders a second.
sub life {
    my $turnup = begin('life');
    figure('memory idle', 'MiB', Turnup::Meter::memory($turnup));
    for (1 .. $runs) {
        my $before = Turnup::Meter::cpu($turnup);
        my @child  = (times)[ 2, 3 ];
        my $run =
            load($turnup, 'life', $seconds * LIFE_LONGER, '--window', WINDOW);
        my $after = Turnup::Meter::cpu($turnup);
        figure('life',        'orders/s', $run->{completedPerSecond});
        figure('life p50',    'ms',       $run->{p50ms});
        figure('life p99',    'ms',       $run->{p99ms});
        figure('life failed', 'orders',   $run->{failed});
        figure('life notifications out of order', 'events',
            $run->{outOfOrder});
        figure('memory most', 'MiB', $run->{memory});
        my %used = map { $_ => $after->{$_} - ($before->{$_} // 0) }
            keys %$after;
        my @now = (times)[ 2, 3 ];
        $used{load} = $now[0] + $now[1] - $child[0] - $child[1];
        cpu_figures(\%used, $run->{completed} || 1);
    }
    end($turnup);
    return median(@{ $figures{life}[1] });
}

# CPU seconds for 1,000 completed orders; the total is without the load
# generator and the simulated network, which are not ours to run.
sub cpu_figures {
    my ($used, $completed) = @_;
    my $total = 0;
    for my $group (sort keys %$used) {
        my $share = $used->{$group} * 1000 / $completed;
        figure("CPU $group", 's/1,000 orders', $share);
        $total += $share if $group !~ /^(?:load|sim)$/;
    }
    figure('CPU in all but load and sim', 's/1,000 orders', $total);
}

sub half {
    my ($rate) = @_;
    my $turnup = begin('half');
    for (1 .. $runs) {
        my $run = load($turnup, 'life', $seconds * LIFE_LONGER,
            '--window', WINDOW, '--rate', int($rate / 2) || 1);
        figure('half rate',     'orders/s', $run->{completedPerSecond});
        figure('half rate p50', 'ms',       $run->{p50ms});
        figure('half rate p99', 'ms',       $run->{p99ms});
    }
    end($turnup);
}

sub begin {
    my ($name, %option) = @_;
    return Turnup->start(
        home     => "$home/$name",
        families => "$root/t/bench/families",
        catalog  => "$root/t/bench/catalog",
        %option
    );
}

sub end {
    my ($turnup) = @_;
    $turnup->down or die "the stack does not stop\n";
    $turnup->retire;
}

# One run of the load generator: its result, and as "memory" the most that
# was seen while it ran.
sub load {
    my ($turnup, $mode, $length, @more) = @_;
    my $port = Turnup::Port->reserve;
    push @more, '--listen', $port->number if $mode eq 'life';
    my $body = "$root/t/bench/order.json";
    push @more, '--body', $body if $mode ne 'get' && -e $body;
    my @command = (
        "$build/turnup-load", $mode,
        '--url',              $turnup->url,
        '--connections',      CONNECTIONS,
        '--seconds',          $length,
        @more
    );
    print STDERR "bench: @command\n" if !$as_json && -t STDERR;
    open my $pipe, '-|', @command or die "$command[0]: $!\n";
    my $select = IO::Select->new($pipe);
    my ($text, $memory) = ('', 0);

    while (1) {
        if ($mode eq 'life') {
            my $now = Turnup::Meter::memory($turnup);
            $memory = $now if $now > $memory;
            $select->can_read(MEMORY_EVERY) or next;
        }
        sysread $pipe, $text, 65536, length $text or last;
    }
    close $pipe or die "turnup-load $mode failed: $text\n";
    my ($last) = $text =~ /^(\{.*\})\s*\z/m or die "no result: $text\n";
    return { %{ decode_json($last) }, memory => $memory };
}

sub errors {
    my ($run) = @_;
    my $count = 0;
    $count += $_ for values %{ $run->{errors} // {} };
    return $count;
}

sub figure {
    my ($name, $unit, $value) = @_;
    push @order, $name if !$figures{$name};
    $figures{$name} //= [ $unit, [] ];
    push @{ $figures{$name}[1] }, $value // 0;
}

sub median {
    my @sorted = sort { $a <=> $b } @_;
    my $middle = int @sorted / 2;
    return $sorted[$middle] if @sorted % 2;
    return ($sorted[ $middle - 1 ] + $sorted[$middle]) / 2;
}

sub report {
    my ($model) =
        (read_file('/proc/cpuinfo') // '') =~ /^model name\s*: (.*)/m;
    my $cores = () = read_file('/proc/cpuinfo') =~ /^processor/mg;
    return {
        machine => {
            cores    => $cores,
            model    => $model // 'unknown',
            kernel   => (POSIX::uname())[2],
            postgres => output('psql', '--version') =~ s/^\D+([\d.]+).*/$1/r,
        },
        runs    => $runs + 0,
        figures => [
            map {
                {
                    name   => $_,
                    unit   => $figures{$_}[0],
                    median => median(@{ $figures{$_}[1] }) + 0,
                    runs   => $figures{$_}[1],
                }
            } @order
        ],
    };
}

sub table {
    my ($report) = @_;
    my $machine = $report->{machine};
    my $text =
        sprintf "%d cores %s, Linux %s, PostgreSQL %s; medians of %d runs\n\n",
        @$machine{qw(cores model kernel postgres)}, $report->{runs};
    for (@{ $report->{figures} }) {
        my $digits = abs $_->{median} >= 100 ? 0 : $_->{median} < 1 ? 3 : 1;
        $text .= sprintf "%-34s %12.${digits}f %-15s (%s)\n", $_->{name},
            $_->{median}, $_->{unit},
            join ' ', map { sprintf "%.${digits}f", $_ } @{ $_->{runs} };
    }
    return $text;
}
