# Lists: fields, pages, filters; what is no filter; and that nothing a client
# writes into a query is taken for more than a value.
use v5.32;
use strict;
use warnings;
use JSON::PP;
use Test::More;
use Api;
use Turnup;

use constant MANY => 25;

my $t = Turnup->start(families => quick_families());

sub escaped {
    my ($text) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    return $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger;
}

# A list: { status, total, count, ids => [...], json, content }.
sub list {
    my ($path, $query) = @_;
    my $reply = $t->get($path . (defined $query ? "?$query" : ''));
    return {
        %$reply,
        total => $reply->{headers}{'x-total-count'},
        count => $reply->{headers}{'x-result-count'},
        ids   => ref $reply->{json} eq 'ARRAY'
        ? [ map { $_->{id} } @{ $reply->{json} } ]
        : undef,
    };
}

# These orders and no others, all on one page.
sub finds {
    my ($query, $want, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = list(ORDERS, $query);
    $name //= $query;
    is($got->{status}, 200, $name) or diag($got->{content});
    is_deeply([ sort @{ $got->{ids} // [] } ], [ sort @$want ], 'finds them')
        or diag("$query: $got->{content}");
    is($got->{total}, @$want, 'and counts them');
}

subtest 'nothing yet' => sub {
    for my $path (ORDERS, SERVICES) {
        my $empty = list($path);
        is($empty->{status},  200,  'an empty list is one');
        is($empty->{content}, '[]', 'as JSON');
        is($empty->{total},   0,    'X-Total-Count');
        is($empty->{count},   0,    'X-Result-Count');
        is(list($path, 'limit=5&offset=3')->{content}, '[]', 'a page of it');
    }
};

# Orders of several kinds, ended.
my %id;
sub add {
    my ($name, $items, %rest) = @_;
    my $reply = post_order($t, $items, externalId => $name, %rest);
    $reply->{status} == 201 or die "$name: $reply->{content}\n";
    return $id{$name} = $reply->{json}{id};
}
add('net', [ internet('1'), voip('2') ],
    category     => 'a, b',
    priority     => '1',
    'x-flag'     => JSON::PP::true,
    'x-number'   => 17,
    'x-text'     => '17',
    description  => 'say "hi"',
    note         => [ { text => 'first note' }, { text => 'second, note' } ],
    relatedParty => [
        { id => 'p-1', '@referredType' => 'Individual', role => 'user' },
        { id => 'p-2', '@referredType' => 'Individual', role => 'payer' },
    ],
    requestedCompletionDate => '2031-02-03T05:05:06.789+01:00',
);
add('line', [ voip('L') ],
    category     => 'b',
    priority     => '4',
    'x-flag'     => JSON::PP::false,
    'x-number'   => 17.5,
    'x-null'     => undef,
    'x-deep'     => { a => [ { b => 'found' }, { b => 'too' } ] },
    'x.dotted'   => 'never',
    note         => [ { text => q{it's; drop--} } ],
    relatedParty => [ { id => 'p-1', '@referredType' => 'Organization' } ],
);
add('bad', [ item('B', 'add', { serviceSpecification => { id => 'No' } }) ],
    category => "\x{17e}lu\x{165}");
add('percent', [ voip('%') ], category => '100%_\\', priority => '1');
ends($t, $id{$_}, 'completed') for qw(net line percent);
ends($t, $id{bad}, 'rejected');
my @all = values %id;

subtest 'filters' => sub {
    finds(undef, \@all, 'no filter');
    finds('', \@all, 'an empty query');
    finds("id=$id{net}",             [ $id{net} ]);
    finds("id=$id{net},$id{line}",   [ @id{qw(net line)} ]);
    finds("id=$id{net}&id=$id{bad}", [ @id{qw(net bad)} ]);
    finds('id=no-uuid',              []);
    finds('externalId=line',         [ $id{line} ]);
    finds('externalId.eq=line',      [ $id{line} ]);
    finds('externalId=Line',         []);
    finds('externalId=lin',          []);
    finds('externalId=',             []);
    finds('state=completed',         [ @id{qw(net line percent)} ]);
    finds('state=rejected',          [ $id{bad} ]);
    finds('state=completed,rejected', \@all);
    finds('state=running',           []);
    finds('state=completed&priority=1', [ @id{qw(net percent)} ], 'and');
    finds('priority=1&category=b',   []);
    finds('category=a%2C%20b',       [ $id{net} ], 'a comma, encoded');
    finds('category=%22a%2C%20b%22', [ $id{net} ], 'quoted');
    finds('category=%22b%22',        [ $id{line} ]);
    finds('category=a,b',            [ $id{line} ], 'a comma that separates');
    finds('category=' . escaped("\x{17e}lu\x{165}"), [ $id{bad} ], 'UTF-8');
    finds('category=' . escaped('100%_\\'), [ $id{percent} ], '% and _');
    finds('category=' . escaped('100%'), [], 'are no patterns');
    finds('category=' . escaped('%'),    [], 'nor alone');
    finds('description=' . escaped('say "hi"'), [ $id{net} ], 'quotes inside');

    finds('serviceOrderItem.state=completed', [ @id{qw(net line percent)} ]);
    finds('serviceOrderItem.state=rejected',  [ $id{bad} ]);
    finds('serviceOrderItem.id=2',            [ $id{net} ]);
    finds('serviceOrderItem.action=add',      \@all);
    finds('serviceOrderItem.action=delete',   []);
    my $service = order($t, $id{line})->{serviceOrderItem}[0]{service}{id};
    finds("serviceOrderItem.service.id=$service", [ $id{line} ]);
    finds('serviceOrderItem.service.id=x',        []);
    my $spec = 'serviceOrderItem.service.serviceSpecification.id';
    finds("$spec=Internet.Service",           [ $id{net} ]);
    finds("$spec=Voip.Line",                  [ @id{qw(net line percent)} ]);
    finds("$spec=Voip.Line,No",               \@all);
    finds('serviceOrderItem.service.name=Line%202', [ $id{net} ]);
    finds('relatedParty.id=p-1',              [ @id{qw(net line)} ]);
    finds('relatedParty.id=p-2',              [ $id{net} ]);
    finds('relatedParty.role=payer',          [ $id{net} ]);
    finds('relatedParty.@referredType=Organization', [ $id{line} ]);
    finds('note.text=second%2C%20note',       [ $id{net} ]);
    finds('note.text=first+note',             [ $id{net} ], 'a plus');
    finds('note.text=' . escaped(q{it's; drop--}), [ $id{line} ], 'quote');
    finds('x-deep.a.b=too',                   [ $id{line} ], 'lists in lists');
    finds('x-deep.a=too',                     []);
    finds('x-flag=true',                      [ $id{net} ],  'true');
    finds('x-flag=false',                     [ $id{line} ], 'false');
    finds('x-number=17',                      [ $id{net} ],  'a number');
    finds('x-number=17.0',                    [ $id{net} ],  'as a number');
    finds('x-number=17.5',                    [ $id{line} ]);
    finds('x-text=17',                        [ $id{net} ],  'a text');
    finds('x-text=17.0',                      [], 'is no number');
    finds('x-null=null',                      [ $id{line} ], 'null');
    finds('nothing=1',                        [], 'an unknown attribute');
    finds('serviceOrderItem.nothing=1',       [], 'an unknown one inside');
    finds('id.nothing=1',                     [], 'below a text');
    finds('state.x=completed',                []);
};

subtest 'dates, as they are emitted' => sub {
    my $line = order($t, $id{line});
    for my $name (qw(orderDate startDate completionDate)) {
        my $got = list(ORDERS, "$name=" . escaped($line->{$name}));
        ok((grep { $_ eq $id{line} } @{ $got->{ids} }), $name)
            or diag("$line->{$name}: $got->{content}");
        is(list(ORDERS, "$name=2001-01-01T00:00:00Z")->{content},
            '[]', 'and no other');
    }
    my $due = 'requestedCompletionDate';
    finds("$due=2031-02-03T04:05:06.789Z", [ $id{net} ], 'in UTC');
    finds("$due=" . escaped('2031-02-03T05:05:06.789+01:00'),
        [ $id{net} ], 'with an offset');
    finds("$due=2031-02-03", [], 'no date-time');
    finds("$due=" . escaped(q{2031'::timestamptz--}), [], 'nor that');
    my ($service) = @{ list(SERVICES)->{json} };
    is(list(SERVICES, 'serviceDate=' . escaped($service->{serviceDate})
                . "&id=$service->{id}")->{total}, 1, 'of a service');
};

subtest 'services and specifications' => sub {
    my $all = list(SERVICES);
    is($all->{total}, 4, 'all services');
    my ($net) = grep { $_->{serviceSpecification}{id} eq 'Internet.Service' }
        @{ $all->{json} };
    my $value = sub {
        my ($name) = @_;
        my ($found) = grep { $_->{name} eq $name }
            @{ $net->{serviceCharacteristic} };
        return escaped($found->{value});
    };
    my %one = (
        'serviceSpecification.id=Internet.Service' => 1,
        'serviceSpecification.id=Voip.Line'        => 3,
        'serviceSpecification.version=1.0'         => 4,
        'serviceSpecification.version=1'           => 0,
        'state=active'                             => 4,
        'state=terminated'                         => 0,
        'operatingStatus=running'                  => 4,
        'name=Internet%201'                        => 1,
        'isServiceEnabled=true'                    => 4,
        'isServiceEnabled=false'                   => 0,
        'externalIdentifier.id='
            . $net->{externalIdentifier}[0]{id}    => 1,
        'serviceOrderItem.serviceOrderId=' . $id{net} => 2,
        'serviceCharacteristic.name=accessPort'    => 1,
        'serviceCharacteristic.value=' . $value->('accessPort') => 1,
        'serviceCharacteristic.value.internetBandwidth=100'     => 1,
        'supportingResource.id=' . $value->('bngBinding')       => 1,
        'supportingResource.@referredType=CPE'     => 1,
        'nothing=1'                                => 0,
    );
    is(list(SERVICES, $_)->{total}, $one{$_}, $_) for sort keys %one;

    is(list(SPECS)->{total}, 2, 'all specifications');
    my %spec = (
        'id=Voip.Line'                      => 1,
        'name=VoIP%20Line'                  => 1,
        'version=1.0'                       => 2,
        'version=2.0'                       => 0,
        'lifecycleStatus=Active'            => 2,
        'isBundle=false'                    => 2,
        'isBundle=true'                     => 0,
        'specCharacteristic.name=codec'     => 1,
        'specCharacteristic.name=codec,project' => 2,
        'specCharacteristic.minCardinality=1'   => 1,
        'nothing=1'                         => 0,
    );
    is(list(SPECS, $_)->{total}, $spec{$_}, $_) for sort keys %spec;
    my ($one) = @{ list(SPECS, 'id=Voip.Line')->{json} };
    is(list(SPECS, 'lastUpdate=' . escaped($one->{lastUpdate})
                . '&id=Voip.Line')->{total}, 1, 'lastUpdate');
};

subtest 'fields' => sub {
    my $one = sub { return list(ORDERS, "id=$id{net}&$_[0]")->{json}[0] };
    is_deeply([ sort keys %{ $one->('fields=state') } ],
        [qw(href id state)], 'one field, and always id and href');
    is_deeply([ sort keys %{ $one->('fields=state,priority') } ],
        [qw(href id priority state)], 'two');
    is_deeply([ sort keys %{ $one->('fields=state&fields=priority') } ],
        [qw(href id priority state)], 'as two parameters');
    is_deeply([ sort keys %{ $one->('fields=none') } ],
        [qw(href id)], 'none');
    is_deeply([ sort keys %{ $one->('fields=nothing') } ],
        [qw(href id)], 'one that is not there');
    is_deeply([ sort keys %{ $one->('fields=note,x-flag') } ],
        [qw(href id note x-flag)], 'also unknown ones');
    ok(keys %{ $one->('fields=') } > 10, 'an empty list asks for all');
    my $got = $t->get(ORDERS . "/$id{net}?fields=state")->{json};
    is_deeply([ sort keys %$got ], [qw(href id state)], 'of one order');
    $got = $t->get(SERVICES . '?fields=name')->{json}[0];
    is_deeply([ sort keys %$got ], [qw(href id name)], 'of services');
    $got = $t->get(SPECS . '/Voip.Line?fields=name,version')->{json};
    is_deeply([ sort keys %$got ],
        [qw(href id name version)], 'of a specification');
};

subtest 'pages' => sub {
    for my $n (1 .. MANY) {
        my $reply = post_order(
            $t,
            [ item('1', 'add', { serviceSpecification => { id => 'No' } }) ],
            category => 'page',
            priority => '' . $n % 2
        );
        is($reply->{status}, 201, "order $n");
    }
    my $page = list(ORDERS, 'category=page');
    is($page->{status}, 200,  'all on one page');
    is($page->{total},  MANY, 'X-Total-Count');
    is($page->{count},  MANY, 'X-Result-Count');
    my @ids = @{ $page->{ids} };
    my @seen;
    for (my $at = 0; $at < MANY; $at += 10) {
        $page = list(ORDERS, "category=page&limit=10&offset=$at");
        my $last = $at + 10 >= MANY;
        is($page->{status}, $last ? 200 : 206, "the page at $at");
        is($page->{total}, MANY,               'of all');
        is($page->{count}, $last ? MANY - $at : 10, 'so many');
        is(@{ $page->{ids} }, $page->{count}, 'and so many there are');
        push @seen, @{ $page->{ids} };
    }
    is("@seen", "@ids", 'the pages are the whole, in order');
    my %try = (
        'limit=25'           => [ 200, 25 ],
        'limit=24'           => [ 206, 24 ],
        'limit=26'           => [ 200, 25 ],
        'limit=1000000'      => [ 200, 25 ],
        'offset=5'           => [ 200, 20 ],
        'offset=25'          => [ 200, 0 ],
        'offset=999999999'   => [ 200, 0 ],
        'offset=24&limit=1'  => [ 200, 1 ],
        'offset=23&limit=1'  => [ 206, 1 ],
        'limit=0'            => [ 200, 0 ],
        'limit=999999999999999999'  => [ 200, 25 ],
        'offset=999999999999999999' => [ 200, 0 ],
    );
    for my $query (sort keys %try) {
        $page = list(ORDERS, "category=page&$query");
        is("$page->{status} $page->{count} $page->{total}",
            "$try{$query}[0] $try{$query}[1] " . MANY, $query);
        is(ref $page->{json}, 'ARRAY', 'a list');
    }
    $page = list(ORDERS, 'category=page&priority=0&limit=5');
    is("$page->{status} $page->{count} $page->{total}",
        '206 5 12', 'the total is that of the filtered');
};

subtest 'no queries' => sub {
    for my $query (
        'limit=-1',          'limit=x',        'limit=',
        'limit=1.5',         'limit=1&limit=2', 'offset=-1',
        'offset=1e3',        'offset=%00',     'limit=%31%00',
        'limit=9999999999999999999',           'state',
        'sort=id',           'filter=x',       'id>1',
        'orderDate.gt=2020', 'state!=held',    'priority>=2',
        'state==completed',  'state=~c',       'category.regex=a',
        'state.ne=held',     'a..b=1',         '.a=1',
        'a.=1',              '=1',             'category=%ff',
        'category=%c3',      'category=%zz',   'category=%2',
        '%ff=1',             'x;y=1',          'state=a;b',
        'a.b.c.d.e.f.g.h.i=1',
        join('&', map {"f$_=1"} 1 .. 33),
        'id=' . join(',', 1 .. 65),
        'fields=' . join(',', map {"f$_"} 1 .. 65),
        )
    {
        my $shown = substr $query, 0, 40;
        my $e     = is_error($t->get(ORDERS . "?$query"), 400, $shown);
        is($e->{code}, '28', 'an invalid query');
    }
    is_error($t->get("$_?sort=id"), 400, "sort of $_") for SERVICES, SPECS;
};

# Names and values that would be something else to SQL, jsonpath or HTTP.
subtest 'injection' => sub {
    my $before = $t->sql('select count(*) from service_order');
    my @texts  = (
        q{' or '1'='1}, q{'; drop table service_order; --}, q{$1}, q{%s%s%n},
        q{" || true}, q{") ? (true)}, q{"."x"}, q{\\}, q{\\"}, q{\\u0000},
        q{$.*}, q{@}, q{**}, q{a[*]}, q{strict $}, q{'||pg_sleep(9)||'},
        "a\nb", "a\r\nX-Evil: 1", "\x01", "\x7f", q{null}, q{true}, q{{}},
        q{[]}, q{1e999}, q{-}, q{1e308}, q{0x10}, q{NaN}, q{Infinity},
        "\x{1F600}", "\x{202e}", "\x{feff}", q{<script>}, q{a/b}, q{..},
        q{ }, q{''}, q{""}, q{"}, q{$x$}, q{::text}, q{/*}, q{--},
    );
    for my $text (@texts) {
        my $value = escaped($text);
        my $shown = $text =~ s/[^ -~]/?/gr;
        for my $query (
            "category=$value", "note.text=$value", "id=$value",
            "state=$value",    "orderDate=$value", "x-number=$value",
            "serviceOrderItem.state=$value",
            "serviceOrderItem.service.id=$value",
            )
        {
            next if $text =~ /^"?;/ || $text eq q{-};
            my $got = list(ORDERS, $query);
            is("$got->{status} $got->{content}", '200 []', "$query: $shown")
                if $query !~ /^x-number/;
            is($got->{status}, 200, "$query: $shown") if $query =~ /^x-num/;
            ok(!$got->{headers}{'x-evil'}, 'no header of theirs');
        }
        for my $path (ORDERS, SERVICES, SPECS) {
            my $got = list($path, "$value=1");
            ok($got->{status} == 400
                || "$got->{status} $got->{content}" eq '200 []',
                "as a name: $shown") or diag($got->{content});
            $got = list($path, "a.$value.b=1");
            ok($got->{status} == 400
                || "$got->{status} $got->{content}" eq '200 []',
                "inside a name: $shown") or diag($got->{content});
            is(list($path, "fields=$value")->{status}, 200, 'as a field');
        }
    }
    is($t->sql('select count(*) from service_order'), $before,
        'the orders are still there');
    is(list(ORDERS, 'category=page')->{total}, MANY, 'and can be found');
    is(join('', grep { /syntax error|invalid input/ }
        $t->log_lines('postgres')), '', 'PostgreSQL was never puzzled');
};

$t->stop;
done_testing;
