# What a subscription asks for in its query, and what no hub takes in.
use v5.32;
use strict;
use warnings;
use POSIX qw(strftime);
use Test::More;
use Turnup;

use constant {
    ORDERING  => '/tmf-api/serviceOrdering/v4',
    INVENTORY => '/tmf-api/serviceInventory/v4',
    WAIT      => 60,
    DEPTH     => 32,      # of a document, at most
};

my $t = Turnup->start(
    families => 't/bench/families',
    catalog  => 't/bench/catalog'
);

sub hub {
    my ($api, $callback, $query, $headers) = @_;
    return $t->post("$api/hub",
        { callback => $callback, defined $query ? (query => $query) : () },
        $headers);
}

# A new listener with that query, and the answer to its registration.
sub registered {
    my ($api, $query) = @_;
    my $listener = $t->listener;
    my $reply    = hub($api, $listener->url, $query);
    is($reply->{status}, 201, "registered: $query") or diag($reply->{content});
    is($reply->{json}{query}, $query, 'echoed as sent');
    return ($listener, $reply->{json}{id});
}

sub refused {
    my ($reply, $status, $pointer, $name) = @_;
    is($reply->{status}, $status, $name) or diag($reply->{content});
    is($reply->{json}{pointer}, $pointer, 'naming the attribute');
    like($reply->{json}{message} // '', qr/\w/, 'and saying why');
}

sub item {
    my ($id, $name, %more) = @_;
    return {
        id      => $id,
        action  => 'add',
        service => {
            name                  => "$name $id",
            serviceSpecification  =>
                { id => 'Bench.Service', version => '1.0' },
            serviceCharacteristic =>
                [ { name => 'bandwidth', value => '100' } ],
        },
        %more
    };
}

sub order {
    my ($name, %more) = @_;
    my $reply = $t->post(
        ORDERING . '/serviceOrder',
        {
            externalId       => $name,
            serviceOrderItem => [ item('1', $name) ],
            %more
        }
    );
    $reply->{status} == 201
        or die "order: $reply->{status} $reply->{content}\n";
    return $reply->{json}{id};
}

sub resource { return (values %{ $_[0]{event} })[0] }

# What a listener was told of a resource, shortly: "Create:acknowledged ..."
sub told {
    my ($listener, $id) = @_;
    return join ' ', map {
        ($_->{eventType} =~ s/^Service(?:Order)?|Event$//gr) . ':'
            . (resource($_)->{state} // '-')
    } grep { (resource($_)->{id} // '') eq $id } $listener->events;
}

sub subscriptions { return $t->sql('select count(*) from hub_subscription') }

# Conditions on the envelope, and trimming. The first order is over when the
# second is sent: who was told of the second had time to be told of the first.
{
    my $hour   = strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time - 3600));
    my $change = 'eventType=ServiceOrderStateChangeEvent';
    my $state  = 'event.serviceOrder.state';
    my $name   = 'event.serviceOrder.externalId';
    my $value  = 'event.serviceOrder.serviceOrderItem.service'
        . '.serviceCharacteristic.value';
    my $all  = 'Create:acknowledged StateChange:inProgress '
        . 'StateChange:completed';
    my @rows = (    # query, told of the first, of the second
        [ '',                            $all, $all ],
        [ "$state=completed", ('StateChange:completed') x 2 ],
        [ "$name=%22second%22",          '', $all ],
        [ "$name.ne=first",              '', $all ],
        [ "$name.gt=first",              '', $all ],
        [ "$change&$name=second&$state.ne=inProgress", '',
            'StateChange:completed' ],
        [ "$state=acknowledged,inProgress",
            ('Create:acknowledged StateChange:inProgress') x 2 ],
        [ "eventTime.gt=$hour&$name=second",  '', $all ],
        [ "eventTime%3E$hour&$state=completed",
            ('StateChange:completed') x 2 ],
        [ "$value.gte=100&$value.lt=1e3&eventType.ne="
                . 'ServiceOrderCreateEvent',
            ('StateChange:completed') x 2 ],
    );
    $_->[3] = (registered(ORDERING, $_->[0]))[0] for @rows;
    my ($nothing) = registered(ORDERING, "eventTime.lt=$hour");
    my ($trimmed) = registered(ORDERING,
        "$change&fields=event.serviceOrder.id,$state,title");
    my ($active) = registered(INVENTORY, 'event.service.state=active');

    my @ids;
    for my $order ('first', 'second') {
        push @ids, order($order);
        $t->wait_for(
            WAIT,
            sub {
                told($rows[0][3], $ids[-1]) eq $all
                    && told($trimmed, $ids[-1]) =~ /completed/;
            },
            "the $order order is told"
        );
    }
    for my $row (@rows) {
        my ($query, $first, $second, $listener) = @$row;
        $t->wait_for(
            WAIT,
            sub { told($listener, $ids[1]) eq $second },
            "told of the second: $query"
        ) or diag(told($listener, $ids[1]));
        is(told($listener, $ids[0]), $first, '... of the first');
    }
    is(scalar $nothing->events, 0, 'what never holds is never told');
    my ($event) = grep { resource($_)->{state} eq 'completed' }
        $trimmed->events;
    is(join(' ', sort keys %$event),
        'event eventId eventTime eventType title', 'trimmed, but for its head');
    is_deeply($event->{event},
        { serviceOrder => { id => $ids[0], state => 'completed' } },
        'to what was asked for');
    $t->wait_for(WAIT, sub { $active->events == 2 }, 'inventory, likewise');
    is_deeply([ map { resource($_)->{state} } $active->events ],
        [ 'active', 'active' ], 'only those');

    # Nested too deeply for its envelope to be read: told rather than lost.
    my $deep = [];
    $deep = [$deep] for 3 .. DEPTH;
    my $id = order('third', deep => $deep);
    $t->wait_for(WAIT, sub { told($rows[2][3], $id) },
        'what cannot be judged is told');
    is(told($rows[2][3], $id), 'Create:acknowledged', 'only that');
}

# The types that a query can be about are all that is kept for it.
{
    my %count = (
        'event.cancelServiceOrder.state=done'    => 3,
        'event.serviceOrder.state=held'          => 7,
        'event.serviceOrder.state.ne=held'       => '',
        'eventType=ServiceOrderCreateEvent'      => 1,
        'fields=eventType'                       => '',
    );
    for my $query (sort keys %count) {
        my (undef, $id) = registered(ORDERING, $query);
        is($t->sql('select cardinality(event_types) from hub_subscription'
                    . " where id = '$id'"),
            $count{$query}, 'types that are stored');
        is($t->delete(ORDERING . "/hub/$id")->{status}, 204, 'gone');
    }
}

# An event that is no change of state names the attribute that changed.
{
    my ($listener) =
        registered(ORDERING, 'event.serviceOrder.externalId=chain');
    my $relies =
        [ { relationshipType => 'reliesOn', orderItem => { itemId => '1' } } ];
    my $id = order(
        'chain',
        serviceOrderItem => [
            item('1', 'chain'),
            item('2', 'chain', serviceOrderItemRelationship => $relies)
        ]
    );
    $t->wait_for(WAIT, sub { told($listener, $id) =~ /completed$/ },
        'one item after the other');
    my @changes = grep { $_->{eventType} =~ /AttributeValueChange/ }
        $listener->events;
    cmp_ok(scalar @changes, '>', 0, 'the order changed, not its state');
    is(join(' ', grep { ($_->{fieldPath} // '') ne 'serviceOrderItem' }
            @changes),
        '', 'each says what');
    is(scalar(grep { defined $_->{fieldPath} } $listener->events),
        scalar @changes, 'and nobody else does');
}

# What is refused leaves nothing behind.
{
    my $before = subscriptions();
    my $url    = $t->listener->url;
    refused(hub(ORDERING, $url, $_), 400, '/query', "query $_")
        for 'state=completed', 'event.service.state=active',
        'event.serviceOrder', 'event.serviceOrder..state=completed',
        'event.serviceOrder.state.gt=held', 'eventTime.gt=yesterday',
        'eventType=No', 'eventType.gt=ServiceOrderCreateEvent',
        'eventType=ServiceOrderCreateEvent'
        . '&eventType.ne=ServiceOrderCreateEvent',
        'limit=1', 'offset=0', 'sort=eventTime', 'fields=event..id',
        'event.serviceOrder.state=%zz';
    refused(hub(ORDERING, $url, 'eventId=' . 'x' x 8192),
        400, '/query', 'a query that is too long');
    refused(hub(ORDERING, $_), 400, '/callback', "callback $_")
        for 'http://10.0.0.1/', 'http://169.254.169.254/latest/meta-data/',
        'https://[::ffff:192.168.1.1]/', 'http://0x0a000001/',
        'http://0.0.0.0:9/', 'http://[fe80::1]/', 'http://100.64.0.1/',
        'http://me:secret@127.0.0.1/', 'http://127.0.0.1@10.0.0.1/',
        'ftp://127.0.0.1/', 'http://127.0.0.1:99999/';
    refused(hub(ORDERING, "$url/" . 'x' x 2048),
        400, '/callback', 'a callback that is too long');
    is(subscriptions(), $before, 'nothing is stored');
}

# A registration that is sent again registers nothing again.
{
    my $before = subscriptions();
    my $url    = $t->listener->url;
    my @first  = (ORDERING, $url, '', { 'Idempotency-Key' => 'hub-1' });
    my $reply  = hub(@first);
    is($reply->{status}, 201, 'registered with a key');
    my $again = hub(@first);
    is($again->{status}, 201, 'and again');
    is_deeply($again->{json}, $reply->{json}, 'the same');
    is($again->{headers}{location},
        $reply->{headers}{location}, 'at the same place');
    is(subscriptions(), $before + 1, 'once');
    refused(hub(ORDERING, "$url/other", '', { 'Idempotency-Key' => 'hub-1' }),
        409, undef, 'the key for something else');
    is(hub(ORDERING, $url)->{status}, 201, 'without a key: another one');
    is(subscriptions(), $before + 2, 'twice');
    is($t->delete(ORDERING . "/hub/$reply->{json}{id}")->{status},
        204, 'unregistered');
    refused(hub(@first), 409, undef, 'what was made by it is no more');
    is(subscriptions(), $before + 1, 'and not made again');
}

# Nobody is sent elsewhere.
{
    my $elsewhere = $t->listener;
    my ($listener) =
        registered(ORDERING, 'event.serviceOrder.externalId=moved');
    $listener->answer(302, Location => $elsewhere->url);
    my $id = order('moved');
    $t->wait_for(WAIT, sub { $listener->attempts == 3 },
        'each event is tried where it belongs');
    $listener->answer(204);
    order('moved');
    $t->wait_for(WAIT, sub { $listener->events == 3 }, 'the next are taken');
    is(scalar $listener->attempts, 6, 'what was redirected is given up');
    is(scalar $elsewhere->attempts, 0, 'and has not gone elsewhere');
}

# As many as allowed.
{
    my $count = $t->sql(
        q(select count(*) from hub_subscription where api = 'ordering'));
    my $url = $t->listener->url;
    $t->down;
    $t->up(conf => { 'hub.subscriptions' => $count + 1 });
    my %key  = ('Idempotency-Key' => 'last');
    my $last = hub(ORDERING, $url);
    is($last->{status}, 201, 'the last one');
    refused(hub(ORDERING, $url, '', \%key), 409, undef, 'one too many');
    is(hub(INVENTORY, $url)->{status}, 201, 'but of another API');
    is($t->delete(ORDERING . "/hub/$last->{json}{id}")->{status},
        204, 'one goes');
    is(hub(ORDERING, $url, '', \%key)->{status}, 201,
        'and the one that was refused finds room');
    is($t->sql(
            q(select count(*) from hub_subscription where api = 'ordering')),
        $count + 1, 'as many as allowed');
}

$t->stop;
done_testing;
