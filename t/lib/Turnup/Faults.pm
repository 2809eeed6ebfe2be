# Turnup::Faults: hundreds of orders running, more being posted, and in the
# middle of it somebody dies. What is looked at afterwards: Turnup::Audit.
#
#   my $f = Turnup::Faults->start;
#   $f->round('intake', sub { $f->turnup->kill9('intake') });
#   $f->stop;
package Turnup::Faults;
use v5.32;
use strict;
use warnings;
use Test::More;
use Turnup;
use Turnup::Audit;
use Turnup::Traffic;

use constant {
    ORDERS          => 700,     # of one round
    FAULT_AT        => 600,     # so many accepted: most of them are running
    RUNNING_LEAST   => 100,     # of which so many even on a slow machine
    POSTING_SECONDS => 120,
    HEALTH_SECONDS  => 30,
    STEP_MS         => 30,      # what a step at a network element takes
    VENDOR_MS       => 6000,    # the vendor's delivery: orders stay under way
};

sub start {
    my ($class) = @_;
    my $turnup = Turnup->start;
    my @rules  = (
        {
            target => 'vendor',
            action => { async => { delayMs => VENDOR_MS } }
        },
        map { { method => 'PUT', target => $_,
                action => { delayMs => STEP_MS } } } qw(bng sbc telephony)
    );
    for my $rule (@rules) {
        my $reply = $turnup->sim('POST', '/_rules', $rule);
        $reply->{status} == 201 or die "rule: $reply->{content}\n";
    }
    keep_events($turnup);
    return bless { turnup => $turnup, answers => [] }, $class;
}

sub turnup { return $_[0]{turnup} }

# Orders, in the middle of which $fault->() is called; then all is audited.
# With $told there is a listener, which has to be told everything.
sub round {
    my ($self, $name, $fault, $told) = @_;
    my $t = $self->{turnup};
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    subtest $name => sub {
        my $label    = $name =~ s/\W+/-/gr;
        my $listener = $told && $self->listen;
        my $traffic  = Turnup::Traffic->start($t, $label, ORDERS);
        $t->wait_for(
            POSTING_SECONDS,
            sub { $traffic->accepted >= FAULT_AT },
            FAULT_AT . ' orders are accepted'
        );
        my $running = in_flight($t);
        cmp_ok($running, '>=', RUNNING_LEAST, "in flight: $running");
        cmp_ok($traffic->accepted, '<', ORDERS, 'more are being posted');
        $fault->();
        $t->wait_for(
            POSTING_SECONDS,
            sub { $traffic->accepted >= ORDERS },
            'all are accepted'
        );
        my @answers = $traffic->finish;
        is(scalar @answers, ORDERS, 'each once');
        push @{ $self->{answers} }, @answers;
        audit($t, @{ $self->{answers} }) or die "$name: orders hang\n";
        $t->wait_for(
            HEALTH_SECONDS,
            sub { $t->get('/health')->{status} == 200 },
            'healthy'
        );
        $self->hear($listener, $label) if $told;
    };
    return;
}

# A listener to changes of state.
sub listen {
    my ($self)   = @_;
    my $listener = $self->{turnup}->listener;
    my $reply    = $self->{turnup}->post(
        '/tmf-api/serviceOrdering/v4/hub',
        {
            callback => $listener->url,
            query    => 'eventType=ServiceOrderStateChangeEvent',
        }
    );
    $reply->{status} == 201 or die "hub: $reply->{content}\n";
    $listener->{hub} = $reply->{json}{id};
    return $listener;
}

sub hear {
    my ($self, $listener, $label) = @_;
    my $t     = $self->{turnup};
    my $count = audit_told($t, $listener,
        "data->>'externalId' like '$label-%'");
    cmp_ok($count, '>=', 3 * ORDERS, "changes of state: $count");
    my $reply = $t->delete(
        "/tmf-api/serviceOrdering/v4/hub/$listener->{hub}");
    is($reply->{status}, 204, 'the listener is unregistered');
    $listener->stop;
}

# Whoever is the same has not been killed.
sub kill9 {
    my ($self, $what) = @_;
    my $t   = $self->{turnup};
    my $old = $t->kill9($what);
    $t->wait_for(
        HEALTH_SECONDS,
        sub { ($t->pid_of($what) // $old) != $old },
        "$what killed, started again"
    );
}

sub stop { $_[0]{turnup}->stop }

1;
