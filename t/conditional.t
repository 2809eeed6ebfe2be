# Conditional requests (RFC 9110): the ETag of what has an id, 304 where it is
# as it was, 412 where somebody else was faster.
use v5.32;
use strict;
use warnings;
use IO::Handle;
use Test::More;
use Api;
use RawHttp;
use Turnup;

my $t = Turnup->start(families => quick_families());
my ($port) = $t->url =~ /(\d+)$/;

sub tag {
    my ($path) = @_;
    my $reply = $t->get($path);
    $reply->{status} == 200 or die "$path: $reply->{status}\n";
    return $reply->{headers}{etag};
}

# As a client on a connection of its own sees it, which names another host.
sub raw_tag {
    my ($path) = @_;
    return RawHttp->connect($port)->send('GET', $path)
        ->answer->{headers}{etag};
}

# The status of a GET by somebody who has that tag; a 304 has to be one.
sub seen {
    my ($path, $tags) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $reply = $t->get($path, { 'If-None-Match' => $tags });
    if ($reply->{status} == 304) {
        is($reply->{content} // '', '', '304 without a body');
        ok(!exists $reply->{headers}{'content-type'}, 'nor its type');
        is($reply->{headers}{etag}, tag($path), 'with the ETag');
    }
    return $reply->{status};
}

sub made {
    my ($id, %rest) = @_;
    my $reply = $t->post(SPECS, { id => $id, name => $id, %rest });
    $reply->{status} == 201 or die "$id: $reply->{status} $reply->{content}\n";
    is($reply->{headers}{etag}, tag(SPECS . "/$id"), "ETag of a new $id")
        if !%rest;
    return SPECS . "/$id";
}

sub events { return $t->sql('SELECT count(*) FROM event') }

# Something the database does first, while others wait for what it has locked:
# ($lock, $request, $change). The answer to the request.
sub overtaken {
    my ($lock, $request, $change) = @_;
    open my $psql, '|-', 'psql', '-AtXq', '-v', 'ON_ERROR_STOP=1', '-h',
        $t->sockets, '-U', 'turnup', '-d', 'turnup', '-o', '/dev/null'
        or die "psql: $!\n";
    $psql->autoflush;
    print {$psql} "BEGIN; SET application_name = 'first'; $lock;\n";
    $t->wait_for(WAIT, sub {
        $t->sql(q{SELECT count(*) FROM pg_stat_activity
            WHERE application_name = 'first'
            AND state = 'idle in transaction'}) > 0;
    }, 'one is there before');
    my $client = RawHttp->connect($port)->send(@$request);
    $t->wait_for(WAIT, sub {
        $t->sql(q{SELECT count(*) FROM pg_stat_activity
            WHERE wait_event_type = 'Lock'}) > 0;
    }, 'the other has read and waits');
    print {$psql} "$change; COMMIT;\n";
    ok(close($psql), 'the first one is through');
    return $client->answer;
}

subtest 'GET' => sub {
    my $path = made('Tag.Read', description => 'x');
    my $tag  = tag($path);
    like($tag, qr/^"[0-9a-f]{32}"$/, 'a strong tag');
    is(tag($path), $tag, 'the same as long as nothing changes');
    is($t->request('HEAD', $path)->{headers}{etag}, $tag, 'HEAD has it too');
    isnt(tag("$path?fields=name"), $tag, 'another for another view');
    isnt(raw_tag($path), $tag, 'and where hrefs are others');
    is(seen($path, $_), 304, "If-None-Match: $_")
        for $tag, "W/$tag", "\"a\", $tag", "\"a\",W/$tag , \"b\"", '*';
    is(seen($path, $_), 200, "If-None-Match: $_")
        for '"a"', 'W/"b", "c"', tag("$path?fields=name");
    is(seen("$path?fields=name", tag("$path?fields=name")), 304,
        'a view with its own');
    is_error($t->get($path, { 'If-None-Match' => 'x' }), 400, 'no tag');
    is_error($t->get($path, { 'If-Match'      => '"a"' }), 412, 'If-Match');
    is($t->get($path, { 'If-Match' => $tag })->{status}, 200, 'that matches');
    is_error($t->get(SPECS . '/none', { 'If-None-Match' => '*' }), 404,
        'what is not there');
    is($t->get(SPECS, { 'If-None-Match' => '*' })->{status}, 200, 'a list');

    my $again = made('Tag.Read', version => '2.0');
    isnt(tag($path), $tag, 'another version is the newest');
    is(seen($path, $tag), 200, 'and is shown');
    isnt(tag("$path?version=1.0"), tag($path), 'the old one has its own');
};

subtest 'an order and a service change under way' => sub {
    my $order = ordered($t, voip('1'), voip('2'));
    my $path  = ORDERS . "/$order->{id}";
    my ($tag, $body) = ('"none"', '');
    $t->wait_for(WAIT, sub {
        my $reply = $t->get($path, { 'If-None-Match' => $tag });
        if ($reply->{status} == 304) {
            return $body =~ /"state":"completed".*"orderDate"/;
        }
        ok($reply->{content} ne $body && $reply->{headers}{etag} ne $tag,
            "another body, another tag: $reply->{json}{state} "
            . item_states($reply->{json}));
        ($tag, $body) = ($reply->{headers}{etag}, $reply->{content});
        return 0;
    }, 'until it is completed');

    # what the order's own version does not count
    my $version = "SELECT version FROM service_order_state
        WHERE id = '$order->{id}'";
    my $before = $t->sql($version);
    for ([ error => '[{"code":"x","reason":"y"}]' ],
        [ pending => '{"party":"z"}' ], [ item_state => 'failed' ])
    {
        my ($column, $value) = @$_;
        my $old = tag($path);
        $t->sql("UPDATE activation SET $column = '$value'
            WHERE order_id = '$order->{id}' AND item_id = '2'");
        isnt(tag($path), $old, "an item's $column is in the tag");
    }
    is($t->sql($version), $before, 'in the same version');

    my $id      = $order->{serviceOrderItem}[0]{service}{id};
    my $service = SERVICES . "/$id";
    $tag = tag($service);
    is(seen($service, $tag), 304, 'a service as it was');
    ends($t, ordered($t, change('1', $id, codec => 'G.711'))->{id},
        'completed');
    is(seen($service, $tag), 200, 'is modified');
};

subtest 'PATCH' => sub {
    my $path  = made('Tag.Patch');
    my $tag   = tag($path);
    my $patch = sub {
        my ($name, %headers) = @_;
        return $t->patch($path, { name => $name }, \%headers);
    };
    my ($before, $events) = ($t->get($path)->{content}, events());
    is_error($patch->('x', 'If-Match' => $_), 412, "If-Match: $_")
        for '"a"', "W/$tag", tag("$path?fields=name");
    is_error($patch->('x', 'If-None-Match' => $_), 412, "If-None-Match: $_")
        for '*', "W/$tag";
    is_error($patch->('x', 'If-Match' => $_), 400, "If-Match: $_")
        for '', 'x', "*, $tag";
    is_error($t->patch(SPECS . '/none', { name => 'x' },
        { 'If-Match' => '*' }), 404, 'what is not there');
    is($t->get($path)->{content}, $before, 'nothing is changed');
    is(events(), $events, 'nor told');

    my $reply = $patch->('y', 'If-Match' => "\"a\", $tag");
    is($reply->{status}, 200, 'the tag it has') or diag($reply->{content});
    is($reply->{headers}{etag}, tag($path), 'answers the new one');
    is_error($patch->('z', 'If-Match' => $tag), 412, 'the old one is void');
    is($patch->('z', 'If-Match' => '*')->{status}, 200, 'any');
    is($patch->('z', 'If-None-Match' => $tag)->{status}, 200,
        'not as it was');
    is($patch->('z')->{headers}{etag}, tag($path), 'ETag without a condition');
};

subtest 'one of many that have the same tag' => sub {
    my $path = made('Tag.Race');
    for my $round (1 .. 5) {
        my @clients = map { RawHttp->connect($port) } 1 .. 8;
        my $tag     = raw_tag($path);
        $clients[$_]->send('PATCH', $path, "{\"name\":\"$round.$_\"}",
            'If-Match' => $tag)
            for 0 .. $#clients;
        my @status = map { $clients[$_]->answer->{status} } 0 .. $#clients;
        my ($winner, @more) = grep { $status[$_] == 200 } 0 .. $#clients;
        is(scalar(@more), 0, 'one change is made');
        is(scalar(grep { $_ == 412 } @status), 7, 'the others are told')
            or diag("@status");
        is($t->get($path)->{json}{name}, "$round.$winner", 'it is there');
    }
};

subtest 'DELETE of a specification' => sub {
    my $path = made('Tag.Gone');
    my $tag  = tag($path);
    made('Tag.Gone', version => '2.0');
    my $events = events();
    is_error($t->delete($path, { 'If-Match' => $_ }), 412, "If-Match: $_")
        for $tag, 'W/' . tag($path);
    is_error($t->delete($path, { 'If-None-Match' => '*' }), 412,
        'If-None-Match');
    is_error($t->delete($path, { 'If-Match' => 'x' }), 400, 'no tag');
    is_error($t->delete(SPECS . '/none', { 'If-Match' => '"a"' }), 404,
        'what is not there');
    is(events(), $events, 'nothing is told');
    is($t->delete($path, { 'If-Match' => tag($path) })->{status}, 204,
        'with the tag it has');
    is_error($t->get("$path?version=$_"), 404, "$_ is gone") for qw(1.0 2.0);
    $path = made('Tag.Any');
    is($t->delete($path, { 'If-Match' => '*' })->{status}, 204, 'any');

    # two versions, one of which is changed between reading and deleting
    for my $changed (qw(1.0 2.0)) {
        my $id = "Tag.Late.$changed";
        $path = made($id);
        made($id, version => '2.0');
        my $of     = "id = '$id' AND version = '$changed'";
        my $answer = overtaken(
            "SELECT 1 FROM service_specification WHERE $of FOR UPDATE",
            [ 'DELETE', $path, undef,
                'If-Match' => raw_tag($path) ],
            "UPDATE service_specification SET doc = '{\"id\":\"$id\",
            \"version\":\"$changed\",\"name\":\"new\"}',
            change = nextval('catalog_change') WHERE $of");
        is($answer->{status}, 412, "$changed was changed meanwhile");
        is($t->get("$path?version=$_")->{status}, 200, "$_ is there")
            for qw(1.0 2.0);
    }
};

subtest 'DELETE of an order' => sub {
    my $running = post_order($t, [ voip('1') ],
        requestedStartDate => '2999-01-01T00:00:00Z')->{json};
    my $path = ORDERS . "/$running->{id}";
    is_error($t->delete($path, { 'If-Match' => $_ }), 409,
        "running, If-Match: $_")
        for '"a"', '*', tag($path);
    is_error($t->delete(ORDERS . '/' . $running->{id} =~ tr/0-9a-f/1-9a-f0/r,
        { 'If-Match' => '*' }), 404, 'what is not there');

    my $order = sub {
        my $id = ordered($t, voip('1'))->{id};
        ends($t, $id, 'completed');
        return ($id, ORDERS . "/$id");
    };
    (my $id, $path) = $order->();
    my ($tag, $events) = (tag($path), events());
    is_error($t->delete($path, { 'If-Match' => $_ }), 412, "If-Match: $_")
        for '"a"', "W/$tag";
    is_error($t->delete($path, { 'If-None-Match' => $tag }), 412,
        'If-None-Match');
    is_error($t->delete($path, { 'If-Match' => $_ }), 400, "If-Match: $_")
        for '', "'x'";
    is(tag($path), $tag,    'it is there as it was');
    is(events(),   $events, 'nothing is told');
    is($t->delete($path, { 'If-Match' => "\"a\", $tag" })->{status}, 204,
        'with the tag it has');
    is_error($t->delete($path, { 'If-Match' => $tag }), 404, 'once');

    ($id, $path) = $order->();
    my $of     = "id = '$id'";
    my $answer = overtaken(
        "SELECT 1 FROM service_order_state WHERE $of FOR UPDATE",
        [ 'DELETE', $path, undef,
            'If-Match' => raw_tag($path) ],
        "UPDATE service_order_state SET version = version + 1,
        state = 'partial' WHERE $of");
    is($answer->{status}, 412, 'changed meanwhile');
    is(order($t, $id)->{state}, 'partial', 'it is there as it is now');
};

subtest 'entries of others are checked too' => sub {
    my $path = made('Tag.Stream');
    $t->redis('XADD', 'turnup:req:catalog', '*', 'id', 'x-1', 'reply-to',
        'turnup:rep:test', 'api', 'catalog', 'version', 'v4', 'method',
        'DELETE', 'resource', 'serviceSpecification', 'key', 'Tag.Stream',
        'base', $t->url, 'if-match', 'bad');
    $t->wait_for(WAIT, sub { $t->redis('XLEN', 'turnup:rep:test') > 0 },
        'answered');
    like($t->redis('XRANGE', 'turnup:rep:test', '-', '+'),
        qr/400\n.*If-Match is/s, 'refused');
    is($t->get($path)->{status}, 200, 'it is there');
};

$t->stop;
done_testing;
