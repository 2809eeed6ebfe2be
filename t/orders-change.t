# PATCH of service orders: what may be changed, in each dialect, before they
# begin, while they run and after they have ended; what is refused, and that
# nothing gets lost or half done.
use v5.32;
use strict;
use warnings;
use JSON::PP;
use POSIX ();
use Test::More;
use Api;
use RawHttp;
use Turnup;

use constant {
    FAR   => '2999-01-01T00:00:00Z',
    PAST  => '2020-01-01T00:00:00Z',
    JSONP => 'application/json-patch+json',
    QUERY => 'application/json-patch-query+json',
};

my $true     = JSON::PP::true;
my $t        = Turnup->start(families => quick_families());
my $listener = $t->listener;
my ($port)   = $t->url =~ /(\d+)$/;
subscribe($t, ORDERS, $listener);

# An order that begins when it is told to.
sub later {
    my (%rest) = @_;
    my $items = delete $rest{items} // [ voip('1') ];
    my $reply = post_order($t, $items, requestedStartDate => FAR, %rest);
    $reply->{status} == 201 or die "order: $reply->{content}\n";
    return $reply->{json}{id};
}

sub patch {
    my ($id, $body, %headers) = @_;
    return $t->patch(ORDERS . "/$id", $body, \%headers);
}

sub operations {
    my ($id, $type, @operations) = @_;
    return patch($id, \@operations, 'Content-Type' => $type);
}

# A PATCH that is carried out, and what a GET shows is what it answered.
sub patched {
    my ($id, $body, $name, %headers) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $reply = patch($id, $body, %headers);
    is($reply->{status}, 200, $name) or diag($reply->{content});
    return $reply->{json};
}

# The row and everything shown of it, to be held against what it is later.
sub all_of {
    my ($id) = @_;
    return text_of(order($t, $id)) . "\n" . $t->sql(<<~"SQL");
    select s.version, o.doc, o.external_id, o.priority, o.requested_start,
      o.requested_completion, o.expected_completion,
      (select sum(seq) from activation where order_id = o.id),
      (select count(*) from event where resource_id = o.id::text)
      from service_order o join service_order_state s using (id)
      where id = '$id'
    SQL
}

sub untouched {
    my ($id, $before, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(all_of($id), $before, $name // 'nothing was changed');
}

# The changes that a listener was told of, by their fieldPath.
sub paths_told {
    my ($id) = @_;
    return map { $_->{fieldPath} // '' }
        grep { exists $_->{fieldPath} }
        told($listener, $id, qr/AttributeValueChange/);
}

sub is_told {
    my ($id, $paths, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->wait_for(WAIT, sub { (my @told = paths_told($id)) >= @$paths });
    is_deeply([ paths_told($id) ], $paths, $name // 'told, once each');
}

sub found {
    my ($query) = @_;
    return join ' ', sort map { $_->{id} }
        @{ $t->get(ORDERS . "?fields=none&$query")->{json} };
}

# Entries as the edge writes them, in one go with somebody who takes them and
# dies: those are delivered again when they have lain for ten seconds.
sub entry {
    my ($request, $id, $taken) = @_;
    my $body = text_of([ { op => 'add', path => '/note/-',
        value => { text => $request } } ]);
    $t->redis('EVAL', <<~'LUA', 1, 'turnup:req:ordering', 'id', $request,
    redis.call('XADD', KEYS[1], '*', unpack(ARGV))
    if ARGV[#ARGV] == 'taken' then
      redis.call('XREADGROUP', 'GROUP', 'intake', 'dead', 'STREAMS',
        KEYS[1], '>')
    end
    LUA
        'reply-to', 'turnup:rep:test', 'api', 'ordering', 'version', 'v4',
        'method', 'PATCH', 'resource', 'serviceOrder', 'key', $id, 'base',
        $t->url, 'content-type', JSONP, 'body', $body, 'x',
        $taken ? 'taken' : 'new');
}

sub answers { return $t->redis('XLEN', 'turnup:rep:test') }

my $twice = later(note => []);
entry('twice', $twice, 0);
$t->wait_for(WAIT, sub { answers() == 1 }, 'an entry is answered');
entry('twice', $twice, 1);
entry('other', $twice, 1);
is(answers(), 1, 'the others are with somebody dead');

subtest 'each attribute that may be changed' => sub {
    my $id    = later(externalId => 'x-1', category => 'c', priority => '3');
    my %value = (
        description             => 'twice "quoted"',
        notificationContact     => 'noc@example.net',
        priority                => '1',
        requestedStartDate      => '2998-01-01T00:00:00Z',
        requestedCompletionDate => '2998-02-01T00:00:00+02:00',
        externalId              => 'x-2',
        externalReference       => [ { name => 'CRM-1' } ],
        note                    => [ { text => 'call first' } ],
        orderRelationship =>
            [ { id => 'o-1', relationshipType => 'replaces' } ],
        relatedParty => [ { id => 'p-1', '@referredType' => 'Individual',
            '@type' => 'RelatedParty' } ],
        'x-colour' => { red => [ 1, 2.50, undef ] },
    );
    my @paths;
    for my $name (sort keys %value) {
        my $now = patched($id, { $name => $value{$name} }, $name);
        is_deeply($now->{$name}, $value{$name}, 'as it was sent');
        push @paths, $name;
    }
    my $now = patched($id,
        { expectedCompletionDate => '2998-03-01T02:00:00+02:00' },
        'expectedCompletionDate');
    is($now->{expectedCompletionDate}, '2998-03-01T00:00:00.000Z', 'is ours');
    push @paths, 'expectedCompletionDate';
    is_deeply(order($t, $id), $now, 'a GET shows the same');
    is_deeply({ map { $_ => $now->{$_} } keys %value }, \%value,
        'one did not undo another');
    is_told($id, \@paths);
    my ($event) = told($listener, $id, qr/AttributeValueChange/);
    is(resource($event)->{href}, $t->url . ORDERS . "/$id", 'with the href');
    is(resource($event)->{category}, 'c', 'and all else of the order');
    is(resource($event)->{serviceOrderItem}[0]{state}, 'acknowledged',
        'its items too');

    # lists and their columns
    is(found("externalId=$_->[0]"), $_->[1], "externalId $_->[0]")
        for [ 'x-1', '' ], [ 'x-2', $id ];
    is(found('priority=3&externalId=x-2'), '',  'not the old priority');
    is(found('priority=1&externalId=x-2'), $id, 'the new one');
    is(found("$_&externalId=x-2"), $id, $_)
        for 'requestedStartDate=2998-01-01T00:00:00.000Z',
        'requestedCompletionDate=2998-01-31T22:00:00Z',
        'expectedCompletionDate.gt=2998-02-28T00:00:00Z',
        'note.text=call first' =~ s/ /%20/r, 'description.ne=x';

    # null takes away
    my %gone = map { $_ => undef } keys %value, 'expectedCompletionDate';
    delete $gone{requestedStartDate};
    $now = patched($id, \%gone, 'all of them away');
    ok(!exists $now->{$_}, "no $_") for sort keys %gone;
    is(found('externalId=x-2'), '', 'nor a column');
    is_deeply(order($t, $id), $now, 'a GET shows the same');
    $t->wait_for(WAIT, sub { (my @told = paths_told($id)) > @paths });
    is(join(',', sort split /,/, (paths_told($id))[-1]),
        join(',', sort keys %gone), 'told as one');
};

subtest 'nothing is changed by what is as it was' => sub {
    my $id     = later(category => 'c', '@type' => 'ServiceOrder');
    my $before = all_of($id);
    my $order  = order($t, $id);
    my $reply  = patch($id, $order);
    is($reply->{status}, 200, 'the whole order as it is shown');
    is_deeply($reply->{json}, $order, 'is answered');
    is(patch($id, { $_ => $order->{$_} })->{status}, 200, "its $_")
        for sort keys %$order;
    is(patch($id, {})->{status}, 200, 'nothing at all');
    is(patch($id, { serviceOrderItem => [ voip('1') ] })->{status}, 200,
        'the item as it was sent');
    is(operations($id, JSONP, { op => 'test', path => '/state',
        value => 'acknowledged' })->{status}, 200, 'a test that holds');
    untouched($id, $before);
    is($reply->{headers}{etag},
        $t->get(ORDERS . "/$id")->{headers}{etag}, 'with its ETag');
};

subtest 'the dialects' => sub {
    my $id = later();
    my $patch = sub { operations($id, @_) };
    my $note = sub { text_of($_[0]{json}{note}) };
    for my $type ('application/merge-patch+json', 'application/json',
        'application/json;charset=utf-8')
    {
        my $now = patched($id, { description => $type }, $type,
            'Content-Type' => $type);
        is($now->{description}, $type, 'is carried out');
    }
    my $reply = $patch->(JSONP,
        { op => 'add', path => '/note',
            value => [ { text => 'a', author => 'John' } ] },
        { op => 'add', path => '/note/-', value => { text => 'b' } },
        { op => 'replace', path => '/description', value => 'd' });
    is($reply->{status}, 200, JSONP) or diag($reply->{content});
    is($note->($reply), '[{"author":"John","text":"a"},{"text":"b"}]', 'add');
    is($reply->{json}{description}, 'd', 'replace');
    $reply = $patch->(JSONP,
        { op => 'test', path => '/note/1/text', value => 'b' },
        { op => 'remove', path => '/note/1' });
    is($note->($reply), '[{"author":"John","text":"a"}]', 'test and remove');
    $reply = $patch->(QUERY,
        { op => 'add', path => '/note', value => { text => 'c' } },
        { op => 'replace', path => '/note/text?note.author=John',
            value => 'x' });
    is($reply->{status}, 200, QUERY) or diag($reply->{content});
    is($note->($reply), '[{"author":"John","text":"x"},{"text":"c"}]',
        'by author');
    is_told($id, [ ('description') x 3, 'description,note', ('note') x 2 ]);

    my $before = all_of($id);
    is_error($patch->(JSONP, { op => 'test', path => '/note/0/text',
        value => 'y' }, { op => 'remove', path => '/note' }), 409,
        'a test that fails');
    is_error($patch->(JSONP, { op => 'remove', path => '/note/7' }), 400,
        'no such element', '/0/path');
    is_error($patch->(JSONP, { op => 'replace', path => '/description',
        value => 'z' }, { op => 'add', path => '/note/-',
            value => { author => 'nobody' } }), 400,
        'a note without a text', '/note/2/text');
    is_error($patch->(JSONP, { op => 'remove', path => '/id' }), 400,
        'remove the id', '/id');
    is_error($patch->(JSONP, { op => 'replace', path => '/state',
        value => 'completed' }), 409, 'the state', '/state');
    is_error($patch->(JSONP, { op => 'replace',
        path => '/serviceOrderItem/0/action', value => 'delete' }), 409,
        'an action', '/serviceOrderItem/0/action');
    is_error($patch->(JSONP, { op => 'replace', path => '/note',
        value => 5 }), 400, 'no list', '/note');
    is_error($patch->(QUERY, { op => 'remove',
        path => '/note?note.author=Ann' }), 400, 'no such note');
    is_error(patch($id, '[]'), 400, 'a merge-patch that is a list');
    is_error(patch($id, '{}', 'Content-Type' => JSONP), 400,
        'operations that are no list');
    is_error(patch($id, '{"a":1', ), 400, 'no JSON');
    is_error(patch($id, ''), 400, 'no body');
    is_error(patch($id, '{}', 'Content-Type' => $_), 415, $_)
        for 'text/plain', 'application/xml', 'application/json-patch';
    untouched($id, $before);
};

subtest 'what may not be changed' => sub {
    my $id = later(items => [ voip('a', note => [ { text => 'x' } ]),
        item('p', 'add', { name => 'Both' }, serviceOrderItem =>
            [ voip('b'), internet('c') ], quantity => 2) ]);
    my $before = all_of($id);
    my $order  = order($t, $id);
    is_error(patch($id, { $_->[0] => $_->[1] }), 400, "another $_->[0]",
        "/$_->[0]")
        for [ id => 'x' ], [ href => 'http://x/y' ], [ href => undef ],
        [ orderDate => PAST ], [ category => 'other' ],
        [ startDate => PAST ], [ completionDate => PAST ],
        [ cancellationDate => PAST ], [ cancellationReason => 'why not' ],
        [ errorMessage => [ { code => '1' } ] ],
        [ milestone => [ { name => 'm' } ] ],
        [ jeopardyAlert => [ { name => 'j' } ] ],
        [ pendingExternal => { party => 'me' } ],
        [ '@type' => 'Other' ], [ '@type' => undef ],
        [ '@baseType' => 'Other' ], [ '@schemaLocation' => 'http://x/y' ],
        [ state => undef ], [ state => 'done' ], [ state => 'canceled' ],
        [ state => 7 ], [ requestedStartDate => 'soon' ],
        [ expectedCompletionDate => '2030-13-01T00:00:00Z' ],
        [ priority => 1 ], [ serviceOrderItem => undef ],
        [ serviceOrderItem => [] ];
    is_error(patch($id, { $_->[0] => [ $_->[1] ] }), 400,
        "a $_->[0] without $_->[2]", "/$_->[0]/0/$_->[2]")
        for [ note => { author => 'a' }, 'text' ],
        [ externalReference => { id => 'a' }, 'name' ],
        [ orderRelationship => { id => 'a' }, 'relationshipType' ],
        [ relatedParty => { id => 'a' }, '@referredType' ];

    is_error(patch($id, { state => $_ }), 409, "state $_", '/state')
        for qw(rejected pending held inProgress cancelled completed failed
        partial assessingCancellation pendingCancellation pendingExternal);
    like(patch($id, { state => 'cancelled' })->{json}{message},
        qr/cancelServiceOrder/, 'a cancellation is asked for elsewhere');

    # items: the order as it is shown, and one thing in it
    my $items = sub {
        my ($change, $status, $name, $pointer, $message) = @_;
        local $Test::Builder::Level = $Test::Builder::Level + 1;
        my $copy = decode_json(encode_json($order->{serviceOrderItem}));
        $change->($copy);
        my $error = is_error(patch($id, { serviceOrderItem => $copy }),
            $status, $name, $pointer);
        like($error->{message}, $message, 'and says which') if $message;
    };
    my $at = '/serviceOrderItem';
    $items->(sub { push @{ $_[0] }, voip('z') }, 409, 'an item more',
        "$at/2", qr/"z" cannot be added/);
    $items->(sub { pop @{ $_[0] } }, 409, 'an item less', $at,
        qr/"p" cannot be taken/);
    $items->(sub { $_[0][1]{serviceOrderItem}[1]{id} = 'y' }, 409,
        'another nested item', "$at/1$at/1", qr/"y"/);
    $items->(sub { shift @{ $_[0][1]{serviceOrderItem} } }, 409,
        'a nested item less', "$at/1$at", qr/"b"/);
    $items->(sub { delete $_[0][1]{serviceOrderItem} }, 409,
        'no nested items', "$at/1$at", qr/"b"/);
    $items->(sub { $_[0][0]{action} = 'noChange' }, 409, 'an action',
        "$at/0/action", qr/"a".*action/);
    $items->(sub { $_[0][1]{quantity} = 3 }, 409, 'a quantity',
        "$at/1/quantity", qr/"p".*quantity/);
    $items->(sub { delete $_[0][1]{quantity} }, 409, 'no quantity',
        "$at/1/quantity");
    $items->(sub { relies_on($_[0][0], 'b') }, 409, 'a dependency',
        "$at/0/serviceOrderItemRelationship", qr/"a"/);
    $items->(sub { $_[0][0]{appointment} = { id => '1' } }, 409,
        'an appointment', "$at/0/appointment");
    $items->(sub { $_[0][0]{service}{name} = 'other' }, 409, 'a service',
        "$at/0/service", qr/"a".*service/);
    $items->(sub { delete $_[0][0]{service}{serviceCharacteristic} }, 409,
        'a service without its characteristics', "$at/0/service");
    $items->(sub { $_[0][0]{service}{'x-new'} = 1 }, 409,
        'a service with more', "$at/0/service");
    $items->(sub { $_[0][0]{service}{id} = 'SVC-1' }, 409,
        'another service', "$at/0/service");
    $items->(sub { $_[0][0]{service}{href} = 'http://x/y' }, 400,
        'its href', "$at/0/service/href");
    $items->(sub { $_[0][0]{state} = 'completed' }, 409, 'a state',
        "$at/0/state", qr/"a".*state/);
    $items->(sub { $_[0][0]{state} = 'done' }, 400, 'an unknown state',
        "$at/0/state");
    $items->(sub { $_[0][0]{errorMessage} = [ { code => '1' } ] }, 400,
        'an error', "$at/0/errorMessage");
    $items->(sub { $_[0][0]{pendingExternal} = {} }, 400,
        'somebody to wait for', "$at/0/pendingExternal");
    $items->(sub { $_[0][1]{id} = 'a' }, 400, 'an id twice', "$at/1/id");
    $items->(sub { delete $_[0][0]{service} }, 400, 'no service',
        "$at/0/service");
    $items->(sub { $_[0][0] = 'a' }, 400, 'no object', "$at/0");
    untouched($id, $before);

    is_error(patch($_, { description => 'x' }), 404, "order $_")
        for '01a20133-0000-7000-8000-000000000000', 'none';
    is_error($t->patch(ORDERS, { description => 'x' }), 405, 'all of them');

    # but notes of items and whatever the standard does not know
    my $copy = decode_json(encode_json($order->{serviceOrderItem}));
    $copy->[0]{note} = [ { text => 'y' } ];
    $copy->[1]{serviceOrderItem}[1]{'x-rack'} = { row => 7 };
    @$copy = reverse @$copy;
    my $now = patched($id, { serviceOrderItem => $copy }, 'notes of items');
    is_deeply($now->{serviceOrderItem}, $copy, 'as they were sent');
    is_deeply(order($t, $id), $now, 'a GET shows the same');
    delete $copy->[1]{note};
    $now = patched($id, { serviceOrderItem => $copy }, 'a note taken away');
    ok(!exists $now->{serviceOrderItem}[1]{note}, 'is gone');
    is_told($id, [ ('serviceOrderItem') x 2 ]);
    is(patch($id, { requestedStartDate => PAST })->{status}, 200, 'go');
    is(item_states(ends($t, $id, 'completed')),
        'p=completed b=completed c=completed a=completed',
        'and everything in it is done');
};

subtest 'conditions' => sub {
    my $id   = later();
    my $path = ORDERS . "/$id";
    my $tag  = $t->get($path)->{headers}{etag};
    my $before = all_of($id);
    is_error(patch($id, { description => 'x' }, 'If-Match' => $_), 412, $_)
        for '"a"', "W/$tag";
    is_error(patch($id, { description => 'x' }, 'If-None-Match' => '*'),
        412, 'If-None-Match');
    is_error(patch($id, { description => 'x' }, 'If-Match' => 'x'), 400,
        'no tag');
    untouched($id, $before);
    my $reply = patch($id, { description => 'x' }, 'If-Match' => $tag);
    is($reply->{status}, 200, 'the tag it has');
    my $next = $t->get($path)->{headers}{etag};
    isnt($next, $tag, 'it has another one now');
    is($reply->{headers}{etag}, $next, 'which was answered');
    is_error(patch($id, { description => 'y' }, 'If-Match' => $tag), 412,
        'the old one is void');

    # a step of an item that the order's own version does not count
    $t->sql("update activation set pending = '{\"party\":\"z\"}'
        where order_id = '$id'");
    is_error(patch($id, { description => 'y' }, 'If-Match' => $next), 412,
        'an item that has gone on');
    is(order($t, $id)->{description}, 'x', 'nothing was changed');
};

subtest 'many at once: each is carried out' => sub {
    my $id      = later();
    my @clients = map { RawHttp->connect($port) } 1 .. 12;
    patched($id, { note => [] }, 'a list to add to');
    $clients[$_]->send('PATCH', ORDERS . "/$id",
        encode_json([ { op => 'add', path => '/note/-',
            value => { text => "n$_" } } ]), 'Content-Type' => JSONP)
        for 0 .. $#clients;
    my @status = map { $_->answer->{status} } @clients;
    is("@status", join(' ', (200) x @clients), 'all are told so');
    is(join(' ', sort map { $_->{text} } @{ order($t, $id)->{note} }),
        join(' ', sort map { "n$_" } 0 .. $#clients), 'once each');
    is_told($id, [ ('note') x 13 ]);

    my $tag = RawHttp->connect($port)->send('GET', ORDERS . "/$id")
        ->answer->{headers}{etag};
    $clients[$_]->send('PATCH', ORDERS . "/$id", "{\"description\":\"$_\"}",
        'Content-Type' => 'application/merge-patch+json',
        'If-Match' => $tag)
        for 0 .. 3;
    @status = sort map { $clients[$_]->answer->{status} } 0 .. 3;
    is("@status", '200 412 412 412', 'of one tag one');
};

subtest 'a start that is moved' => sub {
    my $id = later(items => [ voip('1'), relies_on(voip('2'), '1') ]);
    patched($id, { requestedStartDate => '2998-01-01T00:00:00Z' }, 'later');
    is($t->sql("select distinct due_at at time zone 'UTC' from activation
        where order_id = '$id' and due_at is not null"),
        '2998-01-01 00:00:00', 'is when it is looked at again');
    my $now = patched($id, { requestedStartDate => PAST }, 'into the past');
    is($now->{state}, 'acknowledged', 'not begun yet');
    is(item_states(ends($t, $id, 'completed')), '1=completed 2=completed',
        'but at once');
    is($t->sql("select string_agg(event, ' ' order by seq)
        from activation_journal where activation_id = (select activation_id
        from service_order_item where order_id = '$id' and item_id = '1')
        and seq < 4"), 'patch patch start', 'as its journal says');

    my $none = later();
    patched($none, { requestedStartDate => undef }, 'no date at all');
    ends($t, $none, 'completed', 'is now');

    my $soon = later();
    my $at   = POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + 3));
    patched($soon, { requestedStartDate => $at }, 'in a moment');
    cmp_ok(ends($t, $soon, 'completed')->{startDate}, 'ge',
        $at =~ s/Z$/.000Z/r, 'and not before');

    # put off while its hint is on the way: nobody may begin it
    $t->freeze('family:voip');
    my $off = ordered($t, voip('1'))->{id};
    patched($off, { requestedStartDate => FAR }, 'put off');
    $t->thaw('family:voip');
    my $next = ordered($t, voip('1'))->{id};
    ends($t, $next, 'completed', 'another that came behind it');
    $t->wait_for(WAIT, sub {
        $t->redis('XLEN', 'turnup:fam:voip') == 0;
    }, 'all hints are taken');
    is(order($t, $off)->{state}, 'acknowledged', 'it has not begun');
    is($t->sql("select count(*) from activation_journal j join activation a
        on a.id = j.activation_id where a.order_id = '$off'
        and event <> 'patch'"), 0, 'nor been tried');
    patched($off, { requestedStartDate => PAST }, 'but then');
    ends($t, $off, 'completed', 'it is carried out');
};

subtest 'an order that runs' => sub {
    my $hold = rule($t, target => 'vendor', method => 'POST',
        action => { async => { never => $true } });
    my $id = post_order($t, [ internet('1') ], externalId => 'run-1')
        ->{json}{id};
    my $waiting = in_state($t, $id, 'pendingExternal', 'it waits');
    my $service = $waiting->{serviceOrderItem}[0]{service}{id};
    is(patch($id, $waiting)->{status}, 200, 'sent back as it is shown');
    my $now = patched($id, { description => 'hurry', externalId => 'run-2',
        priority => '0', requestedCompletionDate => FAR,
        expectedCompletionDate => FAR,
        note => [ { text => 'customer has called' } ] }, 'changed');
    is($now->{state}, 'pendingExternal', 'it waits still');
    is($now->{pendingExternal}{party}, 'CPE vendor', 'for the same');
    is_error(patch($id, { requestedStartDate => FAR }), 409,
        'its start is past', '/requestedStartDate');
    is_error(patch($id, { state => $_ }), 409, "state $_", '/state')
        for qw(inProgress held pending completed cancelled rejected);
    my $item = $waiting->{serviceOrderItem}[0];
    $now = patched($id, { serviceOrderItem =>
        [ { %$item, 'x-rack' => '7' } ] }, 'a remark at its item');
    is_deeply($now->{serviceOrderItem}[0], { %$item, 'x-rack' => '7' },
        'which is as it was else');
    $t->sim('DELETE', "/_rules/$hold");
    my $path = vendor_order($t, $service)->{callbackUrl} =~ s{^\w+://[^/]+}{}r;
    is($t->post($path, { status => 'delivered', serialNumber => '1' })
        ->{status}, 204, 'the vendor is through');
    my $done = ends($t, $id, 'completed', 'it goes on to its end');
    is($done->{externalId}, 'run-2', 'under the new externalId');
    is($done->{serviceOrderItem}[0]{'x-rack'}, '7', 'with the remark');
    $t->wait_for(WAIT, sub { (my @told = paths_told($id)) == 2 },
        'both changes are told, once each');
    is(join(',', sort split /,/, (paths_told($id))[0]),
        'description,expectedCompletionDate,externalId,note,priority,'
        . 'requestedCompletionDate', 'the first as one');
    is((paths_told($id))[1], 'serviceOrderItem', 'the second');
    $t->wait_for(WAIT, sub { states_told($listener, $id) =~ /completed/ },
        'the end is told');
    is(states_told($listener, $id),
        'acknowledged inProgress pendingExternal inProgress completed',
        'state by state, none lost');
    my ($end) = grep { resource($_)->{state} eq 'completed' }
        told($listener, $id, qr/StateChange/);
    is(resource($end)->{externalId}, 'run-2', 'with the new externalId');
    is($t->sql("select count(*) from activation a left join
        activation_journal j on j.activation_id = a.id
        where a.order_id = '$id' group by a.id, a.seq
        having count(j.seq) <> a.seq or max(j.seq) <> a.seq"), '',
        'its journal has no gap');

    # in the middle of a call: it may go out once more, under the same key
    my $slow = rule($t, target => 'sbc', method => 'PUT', times => 1,
        action => { delayMs => 1500 });
    $id = post_order($t, [ voip('1') ], externalId => 'mid-1')->{json}{id};
    in_state($t, $id, 'inProgress', 'a step is under way');
    patched($id, { externalId => 'mid-2' }, 'another externalId');
    $done = ends($t, $id, 'completed', 'it goes on to its end');
    $service = $done->{serviceOrderItem}[0]{service}{id};
    like(counts_of($t, "/sbc/subscriber/$service"), qr{^PUT=\d/1$},
        'nothing was done twice');
    $t->wait_for(WAIT, sub { states_told($listener, $id) =~ /completed/ },
        'the end is told');
    ($end) = grep { resource($_)->{state} eq 'completed' }
        told($listener, $id, qr/StateChange/);
    is(resource($end)->{externalId}, 'mid-2', 'with the new externalId');

    # whenever it comes, it is not lost, and nothing else is
    my @ids = map { ordered($t, voip('1'), internet('2'))->{id} } 1 .. 8;
    for my $round (1 .. 6) {
        is(join(' ', map { patch($_, { description => "$round",
            externalId => "e$round" })->{status} } @ids),
            join(' ', (200) x @ids), "round $round");
    }
    for my $one (@ids) {
        $done = ends($t, $one, 'completed');
        is("$done->{description} $done->{externalId}", '6 e6', 'as left');
        $t->wait_for(WAIT, sub { states_told($listener, $one) =~ /compl/ });
        like(states_told($listener, $one), qr/^acknowledged inProgress(?: pendingExternal inProgress)* completed$/, 'in order');
    }
};

subtest 'an order that has ended' => sub {
    my $id = post_order($t, [ voip('1') ], priority => '2')->{json}{id};
    my $order = ends($t, $id, 'completed');
    my %new = (
        description       => 'after all',
        note              => [ { text => 'invoice sent' } ],
        externalReference => [ { name => 'INV-1' } ],
        relatedParty      => [ { id => 'p-1', '@type' => 'RelatedParty',
            '@referredType' => 'Organization' } ],
        'x-archive' => 'box 3',
    );
    my $now = patched($id, \%new, 'takes what the back office adds');
    is_deeply({ map { $_ => $now->{$_} } keys %new }, \%new, 'as sent');
    is($now->{completionDate}, $order->{completionDate}, 'ended as before');
    my $before = all_of($id);
    is_error(patch($id, { $_ => FAR }), 409, $_, "/$_")
        for qw(priority requestedStartDate requestedCompletionDate
        expectedCompletionDate);
    is_error(patch($id, { state => $_ }), 409, "state $_", '/state')
        for qw(acknowledged inProgress cancelled failed);
    is_error(patch($id, { serviceOrderItem =>
        [ { %{ $now->{serviceOrderItem}[0] }, 'x-rack' => '7' } ] }), 409,
        'its item has ended', '/serviceOrderItem/0/x-rack');
    is(patch($id, $now)->{status}, 200, 'sent back as it is shown');
    untouched($id, $before);
    is($t->delete(ORDERS . "/$id")->{status}, 204, 'it can be deleted');
    is_error(patch($id, { description => 'x' }), 404, 'and is gone');
};

subtest 'a POST that is repeated after a PATCH' => sub {
    my $body = encode_json({ serviceOrderItem => [ voip('1') ],
        requestedStartDate => FAR, description => 'first' });
    my $post = sub {
        return $t->post(ORDERS, $body, { 'Idempotency-Key' => 'patched' });
    };
    my $id = $post->()->{json}{id};
    patched($id, { description => $_ }, $_) for qw(second third);
    my $again = $post->();
    is($again->{status}, 201, 'is the same order');
    is($again->{json}{id}, $id, 'by its id');
    is($again->{json}{description}, 'third', 'as it is now');
};

subtest 'a PATCH that is repeated' => sub {
    my $id   = later(note => []);
    my $add  = [ { op => 'add', path => '/note/-', value => { text => 'x' } } ];
    my $once = sub {
        return patch($id, $_[0], 'Content-Type' => JSONP,
            'Idempotency-Key' => 'once');
    };
    is($once->($add)->{status}, 200, 'an element is added');
    my $before = all_of($id);
    my $again  = $once->($add);
    is($again->{status}, 200, 'sent again');
    is(text_of($again->{json}{note}), '[{"text":"x"}]', 'it is there once');
    is_error($once->([]), 409, 'another one under that key');
    untouched($id, $before);
};

subtest 'delivered twice, carried out once' => sub {
    $t->wait_for(WAIT, sub { answers() == 3 }, 'all entries are answered');
    like($t->redis('XRANGE', 'turnup:rep:test', '-', '+'),
        qr/(?:twice\n200.*){2}other\n200/s, 'as the first time');
    is(text_of(order($t, $twice)->{note}),
        '[{"text":"twice"},{"text":"other"}]', 'but added once');
};

$t->stop;
done_testing;
