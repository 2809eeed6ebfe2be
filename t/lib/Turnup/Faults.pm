# Turnup::Faults: hundreds of orders running, more being posted, and in the
# middle of it somebody dies. It has to be over soon, and by itself. What is
# looked at afterwards: Turnup::Audit.
#
#   my $f = Turnup::Faults->start;
#   $f->round('intake', sub { $f->kill9('intake') });
#   $f->stop;
package Turnup::Faults;
use v5.32;
use strict;
use warnings;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);
use Turnup;
use Turnup::Audit;
use Turnup::Traffic;

use constant {
    ORDERS           => 1000,    # of one round
    FAULT_AT         => 550,     # so many are running: a few end meanwhile
    RUNNING_LEAST    => 500,     # accepted and not ended when it happens
    RECOVERY_SECONDS => 10,      # from the fault on
    POSTING_SECONDS  => 120,
    HEALTH_SECONDS   => 30,
    STEP_MS          => 30,      # what a step at a network element takes
    VENDOR_MS        => 5000,    # the vendor's delivery: orders stay under way
    VENDOR_SAN_MS    => 8000,    # posted more slowly, they have to stay longer
    NEW_ORDER        => 4,       # its number: access and line
    NEW_START        => 1,       # seconds until it may begin
    ORDERS_PATH      => '/tmf-api/serviceOrdering/v4/serviceOrder',
};

sub start {
    my ($class) = @_;
    my $turnup = Turnup->start;
    my $vendor = $turnup->{san} ? VENDOR_SAN_MS : VENDOR_MS;
    my @rules  = (
        {
            target => 'vendor',
            action => { async => { delayMs => $vendor } }
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
            sub {
                return $traffic->accepted >= FAULT_AT
                    && in_flight($t) >= FAULT_AT;
            },
            FAULT_AT . ' orders are running'
        );
        my @before = $traffic->answers;
        cmp_ok(scalar @before, '<', ORDERS, 'more are being posted');
        my $struck = time;
        $fault->();
        my %round = (
            name   => $name,
            label  => $label,
            before => \@before,
            struck => $struck,
            again  => time,
        );
        push @{ $self->{answers} }, $self->new_order(\%round);
        $self->all_end($traffic, $name);
        $self->progress(\%round);
        $self->hear($listener, \%round) if $told;
    };
    return;
}

# Posted after the fault, until it is accepted. Every process has a part in
# it: as it is to begin a little later, the keeper too.
sub new_order {
    my ($self, $round) = @_;
    my $t     = $self->{turnup};
    my $name  = "$round->{label}-new-" . NEW_ORDER;
    my $begin = time + NEW_START;
    my $order = Turnup::Traffic::order($name, NEW_ORDER);
    $order->{requestedStartDate} = strftime('%FT%T', gmtime $begin)
        . sprintf '.%03dZ', 1000 * ($begin - int $begin);
    my ($reply, $tries);
    $t->wait_for(
        POSTING_SECONDS,
        sub {
            $tries++;
            $reply = $t->post(ORDERS_PATH, $order,
                { 'Idempotency-Key' => $name });
            return !Turnup::Traffic::again($reply->{status});
        },
        'a new order is answered'
    );
    $self->soon($round, time, "it is accepted (try $tries)");
    my $id = $reply->{json}{id} // '-';
    $t->wait_for(
        POSTING_SECONDS,
        sub {
            my $is = $t->get(ORDERS_PATH . "/$id?fields=state")->{json};
            return ref $is eq 'HASH' && ($is->{state} // '') eq 'completed';
        },
        'and carried out'
    );
    $self->soon($round, time, 'it is completed');
    return {
        name   => $name,
        status => $reply->{status},
        id     => $id,
        tries  => $tries
    };
}

# By the clock, from the fault on; nothing is subtracted for the delays of the
# simulated network. Sanitizers make every process several times slower, those
# that recover and those that work on what has gathered meanwhile.
sub soon {
    my ($self, $round, $at, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $seconds = sprintf '%.2f', $at - $round->{struck};
    my $most    = RECOVERY_SECONDS;
    $most *= Turnup::SAN_SLOWDOWN if $self->{turnup}{san};
    cmp_ok($seconds, '<=', $most, "$what after $seconds s");
}

sub all_end {
    my ($self, $traffic, $name) = @_;
    my $t = $self->{turnup};
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
}

# Of the orders that were running when it happened: how many they were, and
# when they went on. What counts is an item that ended after whoever died had
# been started again; was it the pool of a family, then an item of that family.
sub progress {
    my ($self, $round) = @_;
    my ($family) = $round->{name} =~ /^family:(.*)/;
    $family //= '%';
    my @rows = $self->{turnup}->sql(<<~"SQL");
    select s.id, extract(epoch from s.completion_at),
        extract(epoch from min(j.at) filter (where a.family like '$family'
          and j.at > to_timestamp($round->{again})))
      from service_order o join service_order_state s using (id)
      join activation a on a.order_id = o.id
      join activation_journal j on j.activation_id = a.id
        and j.state = 'completed:verify'
      where o.external_id like '$round->{label}-%'
        and s.completion_at > to_timestamp($round->{struck})
      group by s.id
    SQL
    my %accepted = map { $_->{id} => 1 }
        grep { $_->{status} == 201 } @{ $round->{before} };
    my @running = grep { $accepted{ $_->[0] } } map { [ split /\|/ ] } @rows;
    cmp_ok(scalar @running, '>=', RUNNING_LEAST,
        'accepted and not ended when it happened: ' . @running);
    my @items  = sort { $a <=> $b } grep { defined } map { $_->[2] } @running;
    my @orders = sort { $a <=> $b } map { $_->[1] } @running;
    $self->soon($round, $items[0] // 'inf',   'the first of them goes on');
    $self->soon($round, $orders[-1] // 'inf', 'the last of them is completed');
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
    my ($self, $listener, $round) = @_;
    my $t     = $self->{turnup};
    my $count = audit_told($t, $listener,
        "data->>'externalId' like '$round->{label}-%'");
    cmp_ok($count, '>=', 3 * ORDERS, "changes of state: $count");
    my ($told) = grep { $_ > $round->{again} }
        map { $_->{time} } $listener->attempts;
    $self->soon($round, $told // 'inf', 'the listener is told again');
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
