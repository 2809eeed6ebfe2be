# Turnup::Audit: after orders of Turnup::Traffic, whatever died meanwhile:
# every order complete, every step done once, PostgreSQL, the simulated
# network and the queues in agreement. Looks at the whole installation, so
# it can be run again and again while orders are added.
package Turnup::Audit;
use v5.32;
use strict;
use warnings;
use Exporter qw(import);
use JSON::PP;
use Test::More;

our @EXPORT = qw(audit in_flight keep_events audit_told);

use constant {
    SHOWN          => 5,     # rows of what is wrong
    ENDING_SECONDS => 90,    # for all orders to complete
    QUIET_SECONDS  => 60,    # for the queues to be empty after that
};

my $json = JSON::PP->new->utf8->canonical;

# How many orders have not ended.
sub in_flight {
    my ($t) = @_;
    return $t->sql(<<~'SQL');
    select count(*) from service_order_state where state not in
      ('completed', 'failed', 'partial', 'cancelled', 'rejected')
    SQL
}

# The event log holds only what somebody asks to be told: whoever wants to audit
# it asks for everything from the beginning on, at a place that never answers.
sub keep_events {
    my ($t) = @_;
    for my $api (qw(serviceOrdering serviceInventory)) {
        my $reply = $t->post("/tmf-api/$api/v4/hub",
            { callback => 'http://127.0.0.1:9/nobody' });
        $reply->{status} == 201 or die "hub: $reply->{content}\n";
    }
}

# @answers: of all traffic there ever was. False: orders do not end, so there
# is nothing to look at.
sub audit {
    my ($t, @answers) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    subtest 'orders'        => sub { orders($t, @answers) };
    return if in_flight($t);
    subtest 'activations'   => sub { activations($t) };
    subtest 'inventory'     => sub { inventory($t) };
    subtest 'the network'   => sub { network($t) };
    subtest 'the event log' => sub { events($t) };
    subtest 'the queues'    => sub { queues($t) };
    return 1;
}

# Nothing comes back: each row is something wrong.
sub nothing {
    my ($t, $query, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @rows = $t->sql($query);
    my $more = @rows - SHOWN;
    splice @rows, SHOWN if $more > 0;
    is(join("\n", @rows, $more > 0 ? "and $more more" : ()), '', $name);
}

sub orders {
    my ($t, @answers) = @_;
    my @refused = grep { $_->{status} != 201 } @answers;
    is(join(' ', map {"$_->{name}: $_->{status}"} @refused),
        '', 'every order was accepted in the end');
    $t->wait_for(
        ENDING_SECONDS,
        sub { (eval { in_flight($t) } // 1) == 0 },
        'every order ends'
    );
    nothing($t, <<~'SQL', 'as completed');
    select o.external_id, s.* from service_order_state s
      join service_order o using (id) where s.state <> 'completed'
    SQL
    my %stored = map { split /\|/ }
        $t->sql('select external_id, id from service_order');
    is(scalar $t->sql('select count(*) from service_order'),
        scalar @answers, 'one for each that was posted');
    is_deeply(\%stored, { map { $_->{name} => $_->{id} } @answers },
        'under the id that was answered');
    nothing($t, <<~'SQL', 'with their dates');
    select * from service_order_state
      where start_at is null or completion_at is null
        or completion_at < start_at or error is not null
    SQL
    nothing($t, <<~'SQL', 'version: one more at each change of state');
    select s.id, s.version, count(e.id) from service_order_state s
      left join event e on e.resource_id = s.id::text
        and e.type = 'ServiceOrderStateChangeEvent'
      group by s.id having s.version <> 1 + count(e.id)
    SQL
}

sub activations {
    my ($t) = @_;
    nothing($t, <<~'SQL', 'one for each item');
    select i.order_id, i.item_id, count(a.id) from service_order_item i
      left join activation a
        on a.order_id = i.order_id and a.item_id = i.item_id
      group by 1, 2 having count(a.id) <> 1
    SQL
    nothing($t, <<~'SQL', 'all of them ended');
    select id, item_state, run, owner, due_at from activation
      where item_state <> 'completed' or run->>'phase' <> 'completed'
        or owner is not null or due_at is not null
    SQL
    nothing($t, 'select * from service_change', 'no service is in change');
    nothing($t, 'select * from activation_signal', 'no callback is left');
    nothing($t, <<~'SQL', 'the journal has no gap');
    select a.id, a.seq, min(j.seq), max(j.seq), count(j.seq) from activation a
      left join activation_journal j on j.activation_id = a.id
      group by a.id, a.seq having min(j.seq) is distinct from 1
        or max(j.seq) <> a.seq or count(j.seq) <> a.seq
        or count(distinct j.seq) <> a.seq
    SQL

    # A callback may come before its call's answer: then it is the answer.
    nothing($t, <<~'SQL', 'and each step just once, in its order');
    select * from (
      select activation_id, string_agg(event || ' ' || state, ',' order by seq)
        as steps from activation_journal group by 1) h
      where steps !~ ('^start forward:allocatePort,done forward:configureBng,'
        || 'done forward:orderCpe(,accepted waiting:orderCpe)?,'
        || 'done forward:verify,done completed:verify$')
      and steps <> 'start forward:allocateNumber,'
        || 'done forward:createSubscriber,done forward:activateLine,'
        || 'done forward:verify,done completed:verify'
    SQL
}

sub inventory {
    my ($t) = @_;
    nothing($t, <<~'SQL', 'one service for each item, active');
    select a.id, c.* from activation a
      left join entity_instance_configuration c on c.instance_id = a.service_id
      where c.id is distinct from a.configuration_id
        or c.timeline <> 'CURRENT' or c.state <> 'active'
        or c.operating_status <> 'running'
    SQL
    is(scalar $t->sql('select count(*) from entity_instance'),
        scalar $t->sql('select count(*) from activation'), 'and no other');
    nothing($t, <<~'SQL', 'each with the bandwidth of its order');
    select o.external_id, c.characteristics
      from entity_instance_configuration c
      join service_order o on o.id = c.order_id
      where c.spec_id = 'Internet.Service' and
        c.characteristics->'internetService'->>'internetBandwidth' <>
        (100 + substring(o.external_id from '[0-9]+$')::int)::text
    SQL
    nothing($t, <<~'SQL', 'each with its resource, no resource without one');
    select r.pool, r.value, r.holder, c.instance_id, c.characteristics from
      (select * from resource_allocation where holder is not null) r
      full join (select *, characteristics->>'accessPort' as port,
        characteristics->>'telephoneNumber' as number
        from entity_instance_configuration where state = 'active') c
      on c.instance_id = r.holder
      where r.value is null or c.instance_id is null
        or r.value is distinct from coalesce(c.port, c.number)
    SQL
    nothing($t, <<~'SQL', 'nobody has two');
    select holder, count(*) from resource_allocation
      where holder is not null group by 1 having count(*) > 1
    SQL
    nothing($t, <<~'SQL', 'every CPE has one owner');
    select characteristics->>'cpeSerialNumber', count(*)
      from entity_instance_configuration where spec_id = 'Internet.Service'
      group by 1
      having count(*) > 1 or characteristics->>'cpeSerialNumber' is null
    SQL
}

# What the network should look like, by the inventory.
sub wanted {
    my ($t) = @_;
    my %wanted;
    my @rows = $t->sql(<<~'SQL');
    select instance_id, spec_id, characteristics
      from entity_instance_configuration where state = 'active'
    SQL
    for (@rows) {
        my ($id, $specification, $text) = split /\|/, $_, 3;
        my $is = $json->decode($text);
        if ($specification eq 'Internet.Service') {
            my $ordered = $is->{internetService};
            $wanted{"/bng/subscriber/$id"} = {
                port      => $is->{accessPort},
                bandwidth => $ordered->{internetBandwidth},
                maxSpeed  => $ordered->{internetServiceMaxSpeed},
                sla       => $ordered->{internetServiceSla},
                bindingId => $is->{bngBinding},
            };
            $wanted{"/vendor/orders/$id"} = {
                id           => $id,
                accessPort   => $is->{accessPort},
                serialNumber => $is->{cpeSerialNumber},
                status       => 'delivered',
            };
        } else {
            my $number = $is->{telephoneNumber};
            $wanted{"/sbc/subscriber/$id"} = {
                number    => $number,
                codec     => $is->{codec},
                bindingId => $is->{sbcBinding},
            };
            $wanted{ '/telephony/line/' . $number =~ s/\+/%2B/r } =
                { service => $id, codec => $is->{codec} };
        }
    }
    return \%wanted;
}

sub network {
    my ($t) = @_;
    my $wanted = wanted($t);
    my %found  = %{ $t->sim('GET', '/_state')->{json} };
    delete $_->{callbackUrl}                           for values %found;
    delete $found{$_}{bindingId}                       for grep {m{/line/}}
        keys %found;
    my @differ =
        grep {
               !$found{$_}
            || !$wanted->{$_}
            || $json->encode($found{$_}) ne $json->encode($wanted->{$_})
        } sort keys %{ { %found, %$wanted } };
    is(scalar @differ, 0, 'shows what the inventory says')
        or diag(map { "$_: is " . shown($found{$_}) . ', not '
            . shown($wanted->{$_}) . "\n" } splice @differ, 0, SHOWN);

    my @counts = @{ $t->sim('GET', '/_counts?method=PUT')->{json} };
    my %puts   = map { $_->{path} => $_->{applied} } @counts;
    my @wanted = grep { !m{^/vendor/} } sort keys %$wanted;
    is_deeply([ sort keys %puts ], \@wanted, 'changes of services only');
    is(join(' ', grep { $puts{$_} != 1 } sort keys %puts),
        '', 'each applied just once');
    my $totals  = $t->sim('GET', '/_counts')->{json};
    my $ordered = grep { m{^/vendor/} } keys %$wanted;
    my ($vendor) =
        @{ $t->sim('GET', '/_counts?method=POST&prefix=/vendor/')->{json} };
    is($vendor->{applied},           $ordered, 'every CPE ordered once');
    is($totals->{callbacks}{accepted}, $ordered, 'and announced once');
    is($totals->{applied}, @wanted + $ordered, 'nothing else was changed');
    is($totals->{$_}, 0, "$_: none") for qw(keyConflicts refused evicted);
    $t->wait_for(
        QUIET_SECONDS,
        sub {
            my $is = $t->sim('GET', '/_counts')->{json}{callbacks};
            return $is->{delivered} == $ordered && $is->{pending} == 0;
        },
        'every callback is delivered'
    );
}

sub shown { return defined $_[0] ? $json->encode($_[0]) : 'nothing' }

sub events {
    my ($t) = @_;

    # A second item that begins late makes an order inProgress once more.
    nothing($t, <<~'SQL', 'of each order: created, then state by state');
    select e.* from (
      select resource_id, string_agg(
        case type when 'ServiceOrderCreateEvent' then 'created'
          when 'ServiceOrderStateChangeEvent' then data->>'state'
          else type end, ' ' order by xid, seq) as told
        from event where api = 'ordering'
          and type <> 'ServiceOrderAttributeValueChangeEvent' group by 1) e
      join service_order_state s on s.id::text = e.resource_id
      where told !~ ('^created inProgress( pendingExternal inProgress){0,'
        || s.item_count || '} completed$')
    SQL
    nothing($t, <<~'SQL', 'nothing begun before its start date');
    select o.id, o.requested_start, s.start_at
      from service_order o join service_order_state s using (id)
      where s.start_at < o.requested_start
    SQL
    nothing($t, <<~'SQL', 'of each service: created, then state by state');
    select * from (
      select resource_id, string_agg(
        case type when 'ServiceCreateEvent' then 'created ' else '' end ||
          (data->>'state'), ' ' order by xid, seq) as told
        from event where api = 'inventory'
          and type in ('ServiceCreateEvent', 'ServiceStateChangeEvent')
        group by 1) e
      where told <> 'created reserved inactive active'
    SQL
    is(scalar $t->sql(
            'select count(distinct resource_id) from event where api in'
                . " ('ordering', 'inventory')"
        ),
        scalar $t->sql(
            'select (select count(*) from service_order)'
                . ' + (select count(*) from entity_instance)'
        ),
        'of all of them'
    );
}

# Streams by name: what is pending, and what nobody has read.
sub backlog {
    my ($t) = @_;
    my %backlog;
    for my $key (split /\n/, $t->redis('KEYS', 'turnup:*')) {
        next if $t->redis('TYPE', $key) ne 'stream';
        my @lines = split /\n/, $t->redis('XINFO', 'GROUPS', $key);
        while (my ($name, $value) = splice @lines, 0, 2) {
            $backlog{"$key $name"} = $value
                if $name =~ /^(?:pending|lag)$/ && $value ne '0';
        }
    }
    return \%backlog;
}

sub queues {
    my ($t) = @_;
    my $backlog;
    $t->wait_for(QUIET_SECONDS, sub { !%{ $backlog = backlog($t) } },
        'nothing is pending, all is read')
        or diag(explain($backlog));
    is($t->redis('KEYS', 'turnup:dead:*'), '', 'nothing was put aside');
}

# What a listener to the ordering API was told, against the event log: since
# it registered, every change of state, in order for each order, under its id.
# $where: SQL over event, which of them it should have got.
sub audit_told {
    my ($t, $listener, $where) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @rows = $t->sql(<<~"SQL");
    select id, resource_id, data->>'state' from event
      where type = 'ServiceOrderStateChangeEvent' and $where order by xid, seq
    SQL
    my (%log, %told, %seen, @wrong);
    for (@rows) {
        my ($event, $order, $state) = split /\|/;
        push @{ $log{$order} }, "$event $state";
    }

    # Its record is long: looked into only when it has grown.
    my ($size, @events) = (-1);
    $t->wait_for(
        QUIET_SECONDS,
        sub {
            my $now = -s "$listener->{dir}/record";
            return if $now == $size;
            $size   = $now;
            @events = $listener->events;
            my %distinct = map { $_->{eventId} => 1 } @events;
            return keys %distinct >= @rows;
        },
        'the listener is told of every change of state'
    );
    for my $event (@events) {
        my $order = $event->{event}{serviceOrder};
        push @wrong, $event->{eventType}
            if $event->{eventType} ne 'ServiceOrderStateChangeEvent';
        next if $seen{ $event->{eventId} }++;
        push @{ $told{ $order->{id} } }, "$event->{eventId} $order->{state}";
    }
    is("@wrong", '', 'of nothing it did not ask for');
    my @differ =
        grep { shown($log{$_}) ne shown($told{$_}) }
        sort keys %{ { %log, %told } };
    is(scalar @differ, 0, 'of each order all, in order, nothing invented')
        or diag(map { "$_: " . shown($told{$_}) . ', not ' . shown($log{$_})
            . "\n" } splice @differ, 0, SHOWN);
    return scalar @rows;
}

1;
