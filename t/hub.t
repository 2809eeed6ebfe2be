# Hub listeners: what they are told, in which order, and that nobody else's
# trouble, nor the notifier's death, costs them a notification.
use v5.32;
use strict;
use warnings;
use JSON::PP;
use Test::More;
use Turnup;

use constant {
    ORDERING  => '/tmf-api/serviceOrdering/v4',
    INVENTORY => '/tmf-api/serviceInventory/v4',
    STORM     => 40,      # orders of one test
    WAIT      => 60,
};

my $t = Turnup->start(
    families => 't/bench/families',
    catalog  => 't/bench/catalog'
);

sub register {
    my ($api, $callback, $query) = @_;
    my $reply = $t->post("$api/hub",
        { callback => $callback, defined $query ? (query => $query) : () });
    $reply->{status} == 201 or die "hub: $reply->{status} $reply->{content}\n";
    return $reply->{json}{id};
}

sub order {
    my ($name) = @_;
    my $reply = $t->post(
        ORDERING . '/serviceOrder',
        {
            externalId       => $name,
            serviceOrderItem => [
                {
                    id      => '1',
                    action  => 'add',
                    service => {
                        name                 => $name,
                        serviceSpecification =>
                            { id => 'Bench.Service', version => '1.0' },
                        serviceCharacteristic =>
                            [ { name => 'bandwidth', value => '100' } ],
                    }
                }
            ]
        }
    );
    $reply->{status} == 201
        or die "order: $reply->{status} $reply->{content}\n";
    return $reply->{json};
}

sub resource { return (values %{ $_[0]{event} })[0] }

sub told {
    my ($listener, $id) = @_;
    return grep { resource($_)->{id} eq $id } $listener->events;
}

# Orders whose completion the listener has been told.
sub completed {
    my ($listener) = @_;
    my %done = map { resource($_)->{id} => 1 }
        grep { (resource($_)->{state} // '') eq 'completed' }
        $listener->events;
    return scalar keys %done;
}

# The same events for each order in the same order, a repeated one left out.
sub by_order {
    my ($listener) = @_;
    my (%seen, %order);
    for my $event ($listener->events) {
        next if $seen{ $event->{eventId} }++;
        push @{ $order{ resource($event)->{id} } }, $event->{eventId};
    }
    return \%order;
}

# A counter of the notifier's heartbeat, which comes each second.
sub counter {
    my ($name) = @_;
    my $pid    = $t->pid_of('notify') // return;
    my $key    = $t->redis('KEYS', "turnup:worker:notify:*:$pid") || return;
    my $beat   = eval { decode_json($t->redis('GET', $key)) } // {};
    return $beat->{counters}{$name};
}

# One order, from its creation to its end.
my $all = $t->listener;
my $id  = register(ORDERING, $all->url . '/a%20b/c?x=1&y=%2F', '');
is($t->sql('select count(*) from hub_subscription'), 1, 'registered');
{
    my $order = order('first');
    $t->wait_for(WAIT, sub { completed($all) }, 'the order completes');
    my @events = told($all, $order->{id});
    my $create = resource($events[0]);
    is($events[0]{eventType}, 'ServiceOrderCreateEvent', 'creation is first');
    is($create->{state},      'acknowledged', 'shown as it was created');
    is($create->{serviceOrderItem}[0]{state},
        'acknowledged', 'with its items');
    is($create->{externalId}, 'first',        'and all of its attributes');
    is($create->{href},       $order->{href}, 'and its address');
    is($create->{startDate},  undef,          'not yet begun');
    my @states = map { resource($_)->{state} } @events;
    is("@states", 'acknowledged inProgress completed', 'state by state');
    is(join(' ', grep { $_->{eventType} !~ /^ServiceOrder/ } @events),
        '', 'events of this API only');
    my ($attempt) = $all->attempts;
    is($attempt->{path}, '/listener/a%20b/c?x=1&y=%2F', 'callback verbatim');
    is($attempt->{method}, 'POST', 'by POST');
    like($attempt->{headers}{'content-type'},
        qr{^application/json\b}, 'as JSON');
}

# Filters.
{
    my ($creations, $both) = ($t->listener, $t->listener);
    my $inventory = $t->listener;
    my @ids       = (
        register(
            ORDERING, $creations->url, 'eventType=ServiceOrderCreateEvent'
        ),
        register(
            ORDERING,
            $both->url,
            'eventType=ServiceOrderCreateEvent,ServiceOrderStateChangeEvent'
        ),
    );
    my $service = register(INVENTORY, $inventory->url);
    my $order   = order('filtered');
    $t->wait_for(
        WAIT,
        sub { completed($both) && completed($all) == 2 },
        'the order completes'
    );
    $t->wait_for(
        WAIT,
        sub { told($creations, $order->{id}) },
        'its creation is told'
    );
    is(join(' ', map { $_->{eventType} } told($creations, $order->{id})),
        'ServiceOrderCreateEvent', 'only the type asked for');
    is(scalar told($both, $order->{id}), 3, 'several types');
    $t->wait_for(
        WAIT,
        sub {
            grep { (resource($_)->{state} // '') eq 'active' }
                $inventory->events;
        },
        'inventory tells of the service'
    );
    is(join(' ', grep { $_->{eventType} !~ /^Service(?!Order)/ }
            $inventory->events),
        '', 'and of nothing else');
    my $before = $t->sql('select count(*) from hub_subscription');
    for my $query ('eventType=NoSuchEvent', 'eventType=ServiceCreateEvent',
        'state=completed')
    {
        my $reply = $t->post(ORDERING . '/hub',
            { callback => $all->url, query => $query });
        is($reply->{status},        400,      "refused: $query");
        is($reply->{json}{pointer}, '/query', 'naming the attribute');
    }
    is($t->sql('select count(*) from hub_subscription'),
        $before, 'and not stored');
    is($t->delete(ORDERING . "/hub/$_")->{status}, 204, 'unregistered')
        for @ids;
    is($t->delete(ORDERING . "/hub/$service")->{status},
        404, 'not by another API');
    is($t->delete(INVENTORY . "/hub/$service")->{status},
        204, 'but by its own');
}

# A listener that is down costs nobody else anything, and gets everything.
my $weak = $t->listener;
my $weak_id = register(ORDERING, $weak->url);
$_->forget for $all, $weak;
{
    $weak->answer('drop');
    order("down $_") for 1 .. STORM;
    $t->wait_for(WAIT, sub { completed($all) == STORM }, 'others are told');
    is(scalar $weak->events, 0, 'the one that is down is not');
    $t->wait_for(WAIT, sub { $weak->attempts > 1 }, 'it is tried again');
    cmp_ok(scalar $weak->attempts, '<', STORM, 'ever more seldom');
    $weak->answer(503, 'Retry-After' => 1);
    order("still down $_") for 1 .. STORM;
    $t->wait_for(
        WAIT,
        sub { completed($all) == 2 * STORM },
        'others are told on'
    );
    $weak->answer(204);
    $t->wait_for(
        WAIT,
        sub { completed($weak) == 2 * STORM },
        'back again, it is told everything'
    );
    is_deeply(by_order($weak), by_order($all), 'the same, in the same order');
}

# An answer for good.
{
    $_->forget for $all, $weak;
    $weak->answer(410);
    order('gone');
    $t->wait_for(WAIT, sub { completed($all) == 1 }, 'the order completes');
    $t->wait_for(WAIT, sub { $weak->attempts == 3 }, 'each is tried once');
    $weak->answer(204);
    order('here');
    $t->wait_for(WAIT, sub { completed($weak) == 1 }, 'the next is told');
    is(scalar $weak->events, 3, 'and the refused ones are not sent again');
}

# The notifier dies in the middle of it.
{
    $_->forget for $all, $weak;
    order("crash $_") for 1 .. STORM / 2;
    my $old = $t->kill9('notify');
    order("crashed $_") for 1 .. STORM / 2;
    $t->wait_for(
        WAIT,
        sub { ($t->pid_of('notify') // $old) != $old },
        'the notifier is started again'
    );
    $t->wait_for(
        WAIT,
        sub { completed($all) == STORM && completed($weak) == STORM },
        'nothing is lost'
    );
    my $orders = by_order($all);
    is_deeply(by_order($weak), $orders, 'both are told the same');
    is(scalar(grep { @$_ != 3 } values %$orders), 0, 'every event of each');
    my $ids = join ',', map {"'$_'"} map {@$_} values %$orders;
    is($t->sql("select count(*) from event where id in ($ids)"),
        3 * STORM, 'under the ids they have in the log');
}

# DELETE ends it.
{
    is($t->delete(ORDERING . "/hub/$weak_id")->{status}, 204, 'unregistered');
    is($t->delete(ORDERING . "/hub/$weak_id")->{status}, 404, 'only once');
    is($t->delete(ORDERING . '/hub/none')->{status},     404, 'no such id');
    $t->wait_for(
        WAIT,
        sub { (counter('subscriptions') // 0) == 1 },
        'the notifier has seen it'
    );
    $_->forget for $all, $weak;
    order('unheard');
    $t->wait_for(WAIT, sub { completed($all) == 1 }, 'another is told');
    is(scalar $weak->attempts, 0, 'who has unregistered is not');
}

# What nobody asked for is not even kept.
{
    is($t->delete(ORDERING . "/hub/$id")->{status}, 204, 'unregistered');
    $all->forget;
    $id = register(ORDERING, $all->url,
        'eventType=ServiceOrderStateChangeEvent');
    my $order = order('in part');
    $t->wait_for(WAIT, sub { completed($all) == 1 }, 'its end is told');
    is($t->sql('select string_agg(distinct type, \' \') from event'
                . " where resource_id = '$order->{id}'"),
        'ServiceOrderStateChangeEvent', 'the creation is not stored');
}

# Private networks that are not allowed: nobody registers there, and who had
# registered before is not told.
{
    $t->down;
    $t->up(conf => { 'hub.callback_networks' => '10.0.0.0/8 ::1' });
    $all->forget;
    for my $url ($all->url, $all->url =~ s/127\.0\.0\.1/localhost/r) {
        my $reply = $t->post(ORDERING . '/hub', { callback => $url });
        is($reply->{status},        400,         "refused: $url");
        is($reply->{json}{pointer}, '/callback', 'naming the attribute');
    }
    order('private');
    $t->wait_for(WAIT, sub { counter('notifications_failed') },
        'the call is refused as well');
    is(scalar $all->attempts, 0, 'nobody has connected');
    $t->down;
    $t->up(conf => { 'hub.callback_networks' => '127.0.0.0/8' });
    $t->wait_for(WAIT, sub { completed($all) == 1 },
        'allowed again, it is told');
}

$t->stop;
done_testing;
