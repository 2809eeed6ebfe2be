# Process: other programs, started, recognised, waited for. Shared by
# conf/stack and the tests. Nothing here logs; what cannot be done dies.
package Process;
use v5.32;
use strict;
use warnings;
use Exporter    qw(import);
use POSIX       qw(WNOHANG);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(spawn reaped ended gone group_alive start_time output
    wait_until read_file write_file);

use constant POLL_SECONDS => 0.02;

# Starts a program in a process group of its own (a terminal's Ctrl-C is not
# for it), output appended to a log. Returns its pid.
sub spawn {
    my ($log, $env, @command) = @_;
    my $pid = fork() // die "fork: $!\n";
    return $pid if $pid;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP CHLD ALRM);
    setpgrp;
    chdir '/';
    %ENV = (%ENV, %$env);
    open STDIN,  '<',  '/dev/null';
    open STDOUT, '>>', $log;
    open STDERR, '>&', \*STDOUT;
    { no warnings 'exec'; exec { $command[0] } @command }
    print STDERR "$command[0]: $!\n";
    POSIX::_exit(127);
}

# Whether a child has ended; $? then says how.
sub reaped {
    my ($pid) = @_;
    return waitpid($pid, WNOHANG) == $pid;
}

# $? in words.
sub ended {
    return 'killed by signal ' . ($? & 127) if $? & 127;
    return 'exit status ' .      ($? >> 8);
}

# Whether a process, child or not, has ended.
sub gone {
    my ($pid) = @_;
    waitpid $pid, WNOHANG;
    my $stat = read_file("/proc/$pid/stat") // return 1;
    return $stat =~ /\) Z /;
}

# Whether a process group has members that have not ended. (Asking with signal
# 0 would count those that have and that nobody has waited for.)
sub group_alive {
    my ($group) = @_;
    for (glob '/proc/[0-9]*/stat') {
        my $stat = read_file($_) // next;
        return 1 if $stat =~ /\) [^Z] \d+ $group /;
    }
    return 0;
}

# Of a process, in clock ticks since boot: with the pid, its identity.
sub start_time {
    my ($pid) = @_;
    my $stat = read_file("/proc/$pid/stat") // return;
    return (split ' ', $stat =~ s/.*\) //sr)[19];
}

# What a program prints, less the last newline.
sub output {
    open my $pipe, '-|', @_ or die "$_[0]: $!\n";
    my $text = join '', <$pipe>;
    close $pipe or die "$_[0] failed\n";
    chomp $text;
    return $text;
}

# Looks again and again until the condition holds (returns its value) or the
# time is over (returns false).
sub wait_until {
    my ($seconds, $condition) = @_;
    my $deadline = time + $seconds;
    while (1) {
        my $value = $condition->();
        return $value if $value;
        return        if time > $deadline;
        sleep POLL_SECONDS;
    }
}

# The whole file, or undef where it cannot be read.
sub read_file {
    my ($path) = @_;
    open my $file, '<', $path or return;
    local $/;
    return scalar <$file>;
}

sub write_file {
    my ($path, $text) = @_;
    open my $file, '>', $path or die "$path: $!\n";
    print $file $text;
    close $file or die "$path: $!\n";
}

1;
