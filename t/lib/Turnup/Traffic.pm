# Turnup::Traffic: many clients that post orders at the same time and do not
# give up. Each order goes under an Idempotency-Key of its own until it is
# answered 201, so what was posted is known whatever died in between.
#
#   my $traffic = Turnup::Traffic->start($turnup, 'some name', 500);
#   $t->wait_for(60, sub { $traffic->accepted >= 250 });
#   my @orders = $traffic->finish;
#
# Of every six orders three are for internet access, one for a telephone line,
# and two for both; in one of these the line waits for the access. The
# bandwidth is 100 + the order's number, so that services can be told apart.
package Turnup::Traffic;
use v5.32;
use strict;
use warnings;
use File::Temp qw(tempdir);
use HTTP::Tiny;
use JSON::PP;
use POSIX       ();
use Time::HiRes qw(sleep);
use Process;

use constant {
    CLIENTS       => 32,
    ORDERS_PATH   => '/tmf-api/serviceOrdering/v4/serviceOrder',
    REPLY_SECONDS => 30,
    PAUSE_SECONDS => 0.1,    # before an order that was refused goes again
    LAST_SECONDS  => 300,    # no client lives longer
};

my $json = JSON::PP->new->utf8->canonical;

sub start {
    my ($class, $turnup, $name, $count) = @_;
    my $self = bless {
        url     => $turnup->url . ORDERS_PATH,
        name    => $name,
        count   => $count,
        dir     => tempdir('turnup-traffic-XXXXXX', TMPDIR => 1, CLEANUP => 1),
        parent  => $$,
        clients => [],
    }, $class;
    for my $client (0 .. CLIENTS - 1) {
        my $pid = fork() // die "traffic: fork: $!\n";
        if (!$pid) {
            $SIG{$_} = 'DEFAULT' for qw(INT TERM ALRM);
            alarm LAST_SECONDS;
            eval { $self->post_all($client) };
            print STDERR "traffic: $@" if $@;
            POSIX::_exit($@ ? 1 : 0);
        }
        push @{ $self->{clients} }, $pid;
    }
    return $self;
}

# How many have been answered 201, or something that is for good.
sub accepted {
    my ($self) = @_;
    for my $pid (@{ $self->{clients} }) {
        die "traffic: a client died\n" if reaped($pid) && $?;
    }
    return scalar $self->answers;
}

# Waits for the clients to end; all answers.
sub finish {
    my ($self) = @_;
    waitpid $_, 0 for @{ $self->{clients} };
    $self->{clients} = [];
    return $self->answers;
}

# { name, status, id, tries } of each order that was answered for good: 201,
# or a status that is no reason to try again.
sub answers {
    my ($self) = @_;
    my @answers;
    for my $path (glob "$self->{dir}/*") {
        for (grep { /\n\z/ } split /^/, read_file($path) // '') {
            my ($name, $status, $id, $tries) = split;
            push @answers,
                { name => $name, status => $status, id => $id,
                  tries => $tries };
        }
    }
    return @answers;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!, $@);
    return if $self->{parent} != $$;
    for my $pid (@{ $self->{clients} }) {
        kill KILL => $pid;
        waitpid $pid, 0;
    }
}

# The child.
sub post_all {
    my ($self, $client) = @_;
    open my $record, '>>', "$self->{dir}/$client" or die "$!\n";
    $record->autoflush(1);
    for (my $n = $client; $n < $self->{count}; $n += CLIENTS) {
        my ($reply, $tries) = $self->post($n);
        my $id = eval { $json->decode($reply->{content})->{id} } // '-';
        print $record "$self->{name}-$n $reply->{status} $id $tries\n";
        return if getppid != $self->{parent};
    }
}

sub post {
    my ($self, $n) = @_;
    my $http = $self->{http} //=
        HTTP::Tiny->new(timeout => REPLY_SECONDS, keep_alive => 1);
    my %request = (
        content => $json->encode(order("$self->{name}-$n", $n)),
        headers => {
            'Content-Type'    => 'application/json',
            'Idempotency-Key' => "$self->{name}-$n",
        }
    );
    for (my $tries = 1;; $tries++) {
        my $reply = $http->post($self->{url}, \%request);
        return ($reply, $tries) if !again($reply->{status});
        sleep PAUSE_SECONDS;
    }
}

# Not accepted, or nobody knows: refused for now, too late, connection lost.
sub again {
    my ($status) = @_;
    return $status == 503 || $status == 504 || $status == 599;
}

sub order {
    my ($name, $n) = @_;
    my $kind  = $n % 6;
    my @items = (
        $kind != 0 ? internet($n) : (),
        $kind =~ /[045]/ ? line() : (),
    );
    $items[1]{serviceOrderItemRelationship} = [
        {
            relationshipType => 'dependency',
            orderItem        => { itemId => 'internet' }
        }
    ] if $kind == 5;
    return { externalId => $name, serviceOrderItem => \@items };
}

sub internet {
    my ($n) = @_;
    return item(
        'internet',
        'Internet.Service',
        {
            name      => 'internetService',
            valueType => 'object',
            value     => {
                internetBandwidth       => 100 + $n . '',
                internetServiceSla      => '99.95',
                internetServiceMaxSpeed => '1000',
            }
        }
    );
}

sub line { return item('line', 'Voip.Line') }

sub item {
    my ($id, $specification, @characteristics) = @_;
    return {
        id      => $id,
        action  => 'add',
        service => {
            name                  => $id,
            serviceCharacteristic => \@characteristics,
            serviceSpecification  =>
                { id => $specification, version => '1.0' },
        }
    };
}

1;
