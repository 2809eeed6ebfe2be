# The resources of TMF633 beside specifications: catalogs, categories and
# candidates, each created, read, listed, changed and deleted, with events.
use v5.32;
use strict;
use warnings;
use JSON::PP;
use Test::More;
use Api;
use Turnup;

my $t        = Turnup->start(families => quick_families());
my $api      = SPECS =~ s{/[^/]+$}{}r;
my $listener = $t->listener;
subscribe($t, SPECS, $listener);

my ($true, $false) = (JSON::PP::true, JSON::PP::false);

# The least that a POST of each is to have.
my %least = (
    serviceCatalog   => { name => 'Least' },
    serviceCategory  => { name => 'Least' },
    serviceCandidate =>
        { name => 'Least', serviceSpecification => { id => 'Voip.Line' } },
);
my @kinds = sort keys %least;

sub path { return join '/', $api, @_ }

sub made {
    my ($kind, %body) = @_;
    my $reply = $t->post(path($kind), { %{ $least{$kind} }, %body });
    is($reply->{status}, 201, "$kind: created") or diag($reply->{content});
    return $reply->{json};
}

sub types_told {
    my ($id) = @_;
    return join ' ', map { $_->{eventType} } told($listener, $id);
}

sub ids {
    my ($query) = @_;
    my $reply = $t->get("$api/$query");
    return join ' ', map { $_->{id} } @{ $reply->{json} };
}

for my $kind (@kinds) {
    my $type = ucfirst $kind;
    subtest "$kind: create, read, list" => sub {
        my $reply = $t->post(path($kind),
            { %{ $least{$kind} }, 'x-own' => [ 1, 2 ] });
        is($reply->{status}, 201, 'created') or diag($reply->{content});
        my $it = $reply->{json};
        like($it->{id}, qr/^[0-9a-f-]{36}$/, 'with an id of ours');
        is($it->{href}, $t->url . path($kind, $it->{id}), 'href');
        is($reply->{headers}{location}, $it->{href}, 'Location');
        is($it->{'@type'},         $type,    '@type');
        is($it->{lifecycleStatus}, 'Active', 'lifecycleStatus');
        like($it->{lastUpdate}, qr/^\d{4}-.*\.\d{3}Z$/, 'lastUpdate');
        is_deeply($it->{'x-own'}, [ 1, 2 ], 'what we do not know');
        ok(!exists $it->{isBundle}, 'nothing of a specification');
        my $got = $t->get(path($kind, $it->{id}));
        is($got->{status}, 200, 'read');
        is_deeply($got->{json}, $it, 'GET gives the same');
        is($got->{headers}{etag}, $reply->{headers}{etag}, 'so is the ETag');
        is_deeply($t->get(path($kind) . "?id=$it->{id}")->{json}, [$it],
            'so does the list');
        is($t->get(path($kind, $it->{id}) . '?version=9')->{status}, 200,
            'there is but one version');

        $it = made($kind, id => 'Own.Id', name => 'Named', version => 'v 2',
            lifecycleStatus => 'In design', '@type' => 'Special',
            '@baseType' => $type, lastUpdate => '2001-01-01T00:00:00Z');
        is($it->{id},              'Own.Id',    'id as sent');
        is($it->{version},         'v 2',       'version as sent');
        is($it->{lifecycleStatus}, 'In design', 'lifecycleStatus as sent');
        is($it->{'@type'},         'Special',   '@type as sent');
        isnt($it->{lastUpdate}, '2001-01-01T00:00:00Z', 'but for lastUpdate');
        is_error($t->post(path($kind), { %{ $least{$kind} }, id => 'Own.Id',
            version => '3' }), 409, 'the same id once more', '/id');
        is_deeply($t->get(path($kind, 'Own.Id'))->{json}, $it,
            'the first one stays');
    };

    subtest "$kind: refused" => sub {
        my $before = $t->get(path($kind))->{headers}{'x-total-count'};
        my @bad    = (
            [ 'no name',   { name => undef },            '/name' ],
            [ 'blank',     { name => ' ' },              '/name' ],
            [ 'a number',  { name => 7 },                '/name' ],
            [ 'id',        { id => 'a/b' },              '/id' ],
            [ 'id ..',     { id => '..' },               '/id' ],
            [ 'id no text', { id => 7 },                 '/id' ],
            [ 'version',   { version => 1 },             '/version' ],
            [ 'validFor',  { validFor => { endDateTime => 'never' } },
                '/validFor/endDateTime' ],
            [ 'category no list', { category => { id => 'x' } },
                '/category' ],
            [ 'category without id', { category => [ { name => 'x' } ] },
                '/category/0/id' ],
            $kind eq 'serviceCatalog'
            ? ([ 'party', { relatedParty => [ { id => '1' } ] },
                '/relatedParty/0/@referredType' ])
            : (),
            $kind eq 'serviceCategory'
            ? ( [ 'isRoot', { isRoot => 'yes' }, '/isRoot' ],
                [ 'a root with a parent',
                    { isRoot => $true, parentId => 'x' }, '/isRoot' ],
                [ 'candidate', { serviceCandidate => [ {} ] },
                    '/serviceCandidate/0/id' ])
            : (),
            $kind eq 'serviceCandidate'
            ? ( [ 'no specification', { serviceSpecification => undef },
                    '/serviceSpecification' ],
                [ 'no id', { serviceSpecification => { name => 'x' } },
                    '/serviceSpecification/id' ],
                [ 'a list', { serviceSpecification => [ { id => 'x' } ] },
                    '/serviceSpecification' ])
            : (),
        );
        is_error($t->post(path($kind), { %{ $least{$kind} }, %{ $_->[1] } }),
            400, $_->[0], $_->[2])
            for @bad;
        is_error($t->post(path($kind), $_), 400, "body $_")
            for '', '[]', 'null', '{', '{}{}', '{"name":"\u0000"}';
        is_error($t->post(path($kind), {}), 400, 'nothing in it', '/name');
        is_error($t->post(path($kind), 'x', { 'Content-Type' => 'text/xml' }),
            415, 'XML');
        is($t->get(path($kind))->{headers}{'x-total-count'}, $before,
            'nothing came');
        is_error($t->request('PUT', path($kind, 'Own.Id'), {}), 405, 'PUT');
        is_error($t->delete(path($kind)),            405, 'DELETE of all');
        is_error($t->get(path($kind, 'none')),       404, 'GET of none');
        is_error($t->patch(path($kind, 'none'), {}), 404, 'PATCH of none');
        is_error($t->delete(path($kind, 'none')),    404, 'DELETE of none');
        is_error($t->get(path($kind, "%27;--")),     404, 'GET of a quote');
        is_error($t->get(path($kind) . "?$_"), 400, "?$_")
            for 'limit=x', 'offset=-1', 'sort=validFor';
    };

    subtest "$kind: PATCH" => sub {
        my $it  = made($kind, id => 'Patch.Me', description => 'old');
        my $at  = path($kind, 'Patch.Me');
        my $new = $t->patch($at, { description => undef, version => '2',
            'x-own' => { a => 1 }, validFor =>
                { startDateTime => '2030-01-01T00:00:00Z' } });
        is($new->{status}, 200, 'changed') or diag($new->{content});
        ok(!exists $new->{json}{description}, 'null deletes');
        is($new->{json}{version}, '2',            'version is like any other');
        is($new->{json}{name},    $it->{name},    'what is not named stays');
        is_deeply($t->get($at)->{json}, $new->{json}, 'GET gives the same');
        my $before = $new->{json};
        my @bad = (
            [ { id   => 'other' },       '/id' ],
            [ { href => 'http://x/y' },  '/href' ],
            [ { name => undef },         '/name' ],
            [ { validFor => 'always' },  '/validFor' ],
            [ { category => [ {} ] },    '/category/0/id' ],
            $kind eq 'serviceCategory'
            ? [ { parentId => 'x' },     '/isRoot' ]
            : (),
            $kind eq 'serviceCandidate'
            ? [ { serviceSpecification => undef }, '/serviceSpecification' ]
            : (),
        );
        is_error($t->patch($at, $_->[0]), 400, text_of($_->[0]), $_->[1])
            for @bad;
        is_deeply($t->get($at)->{json}, $before, 'nothing was changed');
        is($t->patch($at, { %$before, name => 'Other' })->{status}, 200,
            'what was read may be sent');
    };

    subtest "$kind: If-Match" => sub {
        made($kind, id => 'Tagged');
        my $at  = path($kind, 'Tagged');
        my $tag = $t->get($at)->{headers}{etag};
        ok($tag, 'an ETag');
        is($t->get($at, { 'If-None-Match' => $tag })->{status}, 304, 'known');
        my $new = $t->patch($at, { description => 'x' },
            { 'If-Match' => $tag });
        is($new->{status}, 200, 'changed as it was');
        isnt($new->{headers}{etag}, $tag, 'it has another ETag');
        is_error($t->patch($at, { description => 'y' },
            { 'If-Match' => $tag }), 412, 'changed since');
        is_error($t->delete($at, { 'If-Match' => $tag }), 412, 'nor deleted');
        is($t->get($at)->{json}{description}, 'x', 'as it was');
        is($t->delete($at, { 'If-Match' => $new->{headers}{etag} })->{status},
            204, 'deleted');
    };

    subtest "$kind: DELETE, and events" => sub {
        my $it    = made($kind, id => 'Short.Lived');
        my $at    = path($kind, 'Short.Lived');
        my $other = $t->patch($at, { description => 'x' })->{json};
        is($t->delete($at)->{status}, 204, 'deleted');
        is_error($t->get($at), 404, 'is gone');
        is_error($t->patch($at, {}), 404, 'is not to be changed');
        is_error($t->delete($at), 404, 'once');
        is(ids("$kind?id=Short.Lived"), '', 'not listed');
        is($t->sql("select count(*) from catalog_entity where resource ="
            . " '$kind' and id = 'Short.Lived'"), 0, 'nor kept');
        $t->wait_for(WAIT, sub {
            grep { $_->{eventType} eq "${type}DeleteEvent" }
                told($listener, 'Short.Lived')
        }, 'told');
        my @events = grep { $_->{eventType} =~ /^$type/ }
            told($listener, 'Short.Lived');
        is(join(' ', map { $_->{eventType} } @events),
            "${type}CreateEvent ${type}ChangeEvent ${type}DeleteEvent",
            'each once, in order');
        is(join(' ', map { keys %{ $_->{event} } } @events),
            "$kind $kind $kind", 'wrapped in its name');
        is_deeply(resource($events[0]), $it,    'as created');
        is_deeply(resource($events[1]), $other, 'as changed');
        is_deeply(resource($events[2]),
            { id => 'Short.Lived', href => $it->{href} }, 'which one is gone');
        made($kind, id => 'Short.Lived');
    };

    subtest "$kind: Idempotency-Key" => sub {
        my @same = (path($kind), { %{ $least{$kind} }, name => 'Once' },
            { 'Idempotency-Key' => "key-$kind" });
        my $first = $t->post(@same);
        is($first->{status}, 201, 'created');
        is_deeply($t->post(@same)->{json}, $first->{json}, 'the same again');
        is($t->get(path($kind) . '?name=Once')->{headers}{'x-total-count'},
            1, 'is one');
        is_error($t->post($same[0], { %{ $same[1] }, name => 'Twice' },
            $same[2]), 409, 'another body');
    };
}

subtest 'an id is of its resource' => sub {
    is($t->get(path($_, 'Own.Id'))->{json}{href},
        $t->url . path($_, 'Own.Id'), $_)
        for @kinds;
    is_error($t->get(SPECS . '/Own.Id'), 404, 'no specification');
    is($t->delete(path('serviceCategory', 'Own.Id'))->{status}, 204,
        'one is deleted');
    is($t->get(path($_, 'Own.Id'))->{status}, 200, "not the $_")
        for qw(serviceCatalog serviceCandidate);
};

subtest 'a tree of categories' => sub {
    my $root = made('serviceCategory', id => 'Root', name => 'Access',
        category => [ { id => 'Leaf' } ]);
    my $leaf = made('serviceCategory', id => 'Leaf', name => 'Fibre',
        parentId => 'Root', serviceCandidate => [ { id => 'Fibre.1' } ]);
    is($root->{isRoot}, $true,  'no parent: a root');
    is($leaf->{isRoot}, $false, 'a parent: none');
    made('serviceCandidate', id => 'Fibre.1', name => 'Fibre 1',
        category => [ { id => 'Leaf' } ],
        serviceSpecification => { id => 'Internet.Service' });
    made('serviceCatalog', id => 'Wholesale', name => 'Wholesale',
        category => [ { id => 'Root' } ]);
    my %finds = (
        'serviceCategory?parentId=Root'               => 'Leaf',
        'serviceCategory?isRoot=false'                => 'Leaf',
        'serviceCategory?serviceCandidate.id=Fibre.1' => 'Leaf',
        'serviceCandidate?category.id=Leaf'           => 'Fibre.1',
        'serviceCandidate?serviceSpecification.id=Internet.Service' =>
            'Fibre.1',
        'serviceCatalog?category.id=Root,Leaf'          => 'Wholesale',
        'serviceCategory?id=Root,Leaf&sort=-name'       => 'Leaf Root',
        'serviceCategory?id=Root,Leaf&sort=name'        => 'Root Leaf',
        'serviceCategory?id=Root,Leaf&sort=name&limit=1&offset=1' => 'Leaf',
        'serviceCategory?id=none'                       => '',
    );
    is(ids($_), $finds{$_}, $_) for sort keys %finds;
    is_deeply($t->get(path('serviceCategory', 'Leaf') . '?fields=parentId')
            ->{json},
        { id => 'Leaf', href => $leaf->{href}, parentId => 'Root' }, 'fields');
    is($t->get(path('serviceCategory') . '?sort=name&limit=1')->{status},
        206, 'a page of more');
    is($t->delete(path('serviceCategory', 'Root'))->{status}, 204,
        'what is referred to may go');
    is($t->get(path('serviceCategory', 'Leaf'))->{json}{parentId}, 'Root',
        'who refers to it stays as it is');
    my $moved = $t->patch(path('serviceCategory', 'Leaf'),
        { parentId => undef, isRoot => $true });
    is($moved->{json}{isRoot}, $true, 'a root from now on');
};

$t->stop;
done_testing;
