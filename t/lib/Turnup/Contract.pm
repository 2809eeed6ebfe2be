# Turnup::Contract: every answer of a stack against the definitions, at the
# stack's end, in one run of validate.py: against the published ones, where
# they are, and against those that the stack itself serves at /openapi.
#
#   my $contract = Turnup::Contract->new($file);
#   $contract->note('GET', $path, $answer);
#   $contract->add_own($api, $document);
#   is(join("\n", $contract->faults), '', 'every answer is as defined');
#
# Answers that differ in nothing but ids, times and numbers are written down
# once. They go through a file, as a test may ask from processes of its own.
package Turnup::Contract;
use v5.32;
use strict;
use warnings;
use Cwd qw(abs_path);
use Fcntl;
use File::Basename qw(dirname);
use JSON::PP;
use Process;
use Turnup::Definitions;

use constant {
    PYTHON => '/usr/bin/python3',    # Debian's, which has its packages
    SHOWN  => 20,                    # faults
};

my $validator = dirname(dirname(abs_path(__FILE__))) . '/validate.py';
my $json      = JSON::PP->new->utf8->canonical;

sub new {
    my ($class, $file) = @_;
    return bless { file => $file, seen => {}, own => {} }, $class;
}

# An answer as HTTP::Tiny gives it. 599: there was none.
sub note {
    my ($self, $method, $path, $answer) = @_;
    return if $path !~ m{^/tmf-api/} || $answer->{status} == 599;
    my %note = (
        method  => $method,
        path    => $path,
        status  => "$answer->{status}",
        headers => $answer->{headers},
        content => $answer->{content} // '',
    );
    return if $self->{seen}{ shape_of(\%note) }++;
    sysopen my $out, $self->{file}, O_WRONLY | O_APPEND | O_CREAT
        or die "$self->{file}: $!\n";
    my $line = JSON::PP->new->ascii->canonical->encode(\%note) . "\n";
    syswrite($out, $line) == length $line or die "$self->{file}: $!\n";
}

sub shape_of {
    my ($note) = @_;
    my $shape = join "\n", @$note{qw(method status content)},
        $note->{path} =~ s/\?.*//sr,
        map { "$_=" . ($note->{headers}{$_} // '') }
        qw(content-type location x-result-count x-total-count);
    $shape =~ s/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}/U/g;
    $shape =~ s/\d+/0/g;
    return $shape;
}

# The stack's own document.
sub add_own {
    my ($self, $api, $document) = @_;
    $self->{own}{$api} = $document;
}

# One line each.
sub faults {
    my ($self) = @_;
    return if !-e $self->{file};
    my %published   = definitions_files();
    my $definitions = "$self->{file}.definitions";
    write_file($definitions,
        $json->encode({ published => \%published, own => $self->{own} }));
    open my $from, '-|', PYTHON, $validator, $definitions, $self->{file}
        or die PYTHON, ": $!\n";
    my @faults = <$from>;
    close $from or push @faults, "validate.py fails\n";
    my $more = @faults - SHOWN;
    splice @faults, SHOWN, $more, "and $more more\n" if $more > 0;
    chomp @faults;
    return @faults;
}

1;
