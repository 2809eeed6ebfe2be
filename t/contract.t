# The contract: what /openapi says is served, against the published v4
# definitions. Every difference stands here with its reason, and nothing that
# is no difference.
use v5.32;
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../conf";
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use Edge;
use Turnup::Contract;
use Turnup::Definitions;

definitions_dir()
    or plan skip_all => 'no published definitions in ../shared/tmf';

# API => a difference (* for anything in it) and its reason.
my %expected = (
    serviceOrdering => {
        'CancelServiceOrder.state: value acknowledged' =>
            'what the published life cycle and v5 say for "accepted"',
        'POST /serviceOrder: parameter fields' => 'as in v5',
        'RelatedParty: no mandatory @type'     =>
            'neither its samples have it nor the two other APIs',
        'ServiceOrder*: attribute pendingExternal' =>
            'whom the order waits for',
        'ServiceOrder*.state: value pendingExternal' =>
            'but for tmf_state_profile strict',
        'ServiceOrder.serviceOrderItem:'
            . ' ServiceOrderItem[1..] in place of ServiceOrderItem[]' =>
            'an order has an item: its _Create says so',
        'ServiceOrder_Update.serviceOrderItem:'
            . ' ServiceOrderItem[1..] in place of ServiceOrderItem[]' =>
            'and keeps one',
        'ServiceOrderItemRef: no mandatory id' =>
            'a defect: there is no id, but an itemId',
    },
    serviceInventory => {
        'Service*: attribute @*' =>
            'v4 forgot them here; its ServiceRefOrValue has them',
        'Service*: attribute externalIdentifier' => 'from v5',
        'Service*: attribute operatingStatus'    => 'from v5',
        'Service*.state: value suspended'        =>
            'from v5: an activation may suspend one',
        'Service*.serviceDate: date-time in place of string' =>
            'all samples are such, and lists compare it as a time',
        'Service: attribute version*'            =>
            'which configuration of it is shown',
    },
    serviceCatalogManagement => {
        '*_Create: no attribute lastUpdate' =>
            'the server sets it; what is sent is passed over',
        '*portJob*: attribute @*' => 'v4 forgot them here; v5 has them',
        '*portJob: attribute progress' => 'how many documents it has taken',
        '*portJob_Create: attribute id' => 'as of what the catalog holds',
        '*portJob_Create: no attribute *' => 'as lastUpdate',
        'CharacteristicSpecification: mandatory name' =>
            'TMF633B asks for it, and rules hang on it',
        'Service*_Create: attribute id' =>
            'a client may choose it, to load the same catalog anywhere',
        'ServiceSpecification_Update: no attribute version' =>
            'a specification is an id and a version; another one is POSTed',
    },
);
my %everywhere = (
    'Error: attribute pointer' => 'which attribute is wrong (TMF630 has none)',
    'GET *: status 206'        => 'TMF630: not all that matches',
);

sub pattern_of {
    my ($text) = @_;
    my $pattern = join '.*', map {quotemeta} split /\*/, $text, -1;
    return qr/^$pattern$/;
}

# Of what is not served there is no difference yet.
sub is_served {
    my ($ours, $text) = @_;
    my ($about) = $text =~ /^(?:[A-Z]+ )?([^:. ]+)/;
    return
           $about =~ /\*/
        || $ours->{components}{schemas}{$about}
        || $ours->{paths}{$about};
}

# Operations of the standard that this release does not have say so.
sub is_told {
    my ($api, $difference) = @_;
    my ($path, $method) = $difference =~ /^(\S+): no method (\S+)$/ or return;
    my $body = $method =~ /^P/ ? '{}' : undef;
    return ask($method, "/tmf-api/$api/v4" . $path =~ s/\{id\}/1/r, $body)
        ->{status} == 501;
}

start_edge();

for my $api (sort keys %expected) {
    subtest $api => sub {
        my $ours    = ask('GET', "/openapi/$api/v4.json")->{json};
        my @found   = differences(published($api), $ours);
        my %reasons = (%{ $expected{$api} }, %everywhere);
        my %used;
        for my $difference (@found) {
            my @known =
                grep { $difference =~ pattern_of($_) } keys %reasons;
            $used{$_} = 1 for @known;
            ok(@known || is_told($api, $difference), $difference);
        }
        ok($used{$_}, "still differs: $_")
            for grep { is_served($ours, $_) } sort keys %reasons;
    };
}

# That a difference would be seen.
sub changed {
    my ($change) = @_;
    my $ours = ask('GET', '/openapi/serviceOrdering/v4.json')->{json};
    my $theirs = published('serviceOrdering');
    my %before = map { $_ => 1 } differences($theirs, $ours);
    my $schemas = $ours->{components}{schemas};
    $change->($schemas, $ours->{paths});
    return join "\n", grep { !$before{$_} } differences($theirs, $ours);
}

subtest 'what is not so is seen' => sub {
    my @changes = (
        [
            'Note: no attribute author' =>
                sub { delete $_[0]{Note}{properties}{author} }
        ],
        [
            'Note: attribute colour' => sub {
                $_[0]{Note}{properties}{colour} = { type => 'string' };
            }
        ],
        [
            'Note.date: string in place of date-time' =>
                sub { delete $_[0]{Note}{properties}{date}{format} }
        ],
        [ 'Note: no mandatory text' => sub { delete $_[0]{Note}{required} } ],
        [
            'Note: mandatory author' =>
                sub { push @{ $_[0]{Note}{required} }, 'author' }
        ],
        [
            'ServiceOrderItem.action: no value noChange' => sub {
                my $p = $_[0]{ServiceOrderItem}{properties};
                pop @{ $p->{action}{enum} };
            }
        ],
        [
            'ServiceRefOrValue.note: Note in place of Note[]' => sub {
                my $p = $_[0]{ServiceRefOrValue}{properties};
                $p->{note} = $p->{note}{items};
            }
        ],
        [
            'Feature.featureCharacteristic:'
                . ' Characteristic[] in place of Characteristic[1..]' => sub {
                delete $_[0]{Feature}{properties}{featureCharacteristic}
                    {minItems};
                }
        ],
        [
            'ServiceOrder_Create: no mandatory serviceOrderItem' =>
                sub { delete $_[0]{ServiceOrder_Create}{required} }
        ],
        [
            'ServiceOrder: no mandatory href' =>
                sub { $_[0]{ServiceOrder}{required} = ['id'] }
        ],
        [
            '/serviceOrder/{id}: no method DELETE' =>
                sub { delete $_[1]{'/serviceOrder/{id}'}{delete} }
        ],
        [
            "POST /hub: no status 201\nPOST /hub: status 200" => sub {
                my $answers = $_[1]{'/hub'}{post}{responses};
                $answers->{200} = delete $answers->{201};
            }
        ],
        [
            'GET /serviceOrder 200: no header X-Total-Count' => sub {
                delete $_[1]{'/serviceOrder'}{get}{responses}{200}{headers}
                    {'X-Total-Count'};
            }
        ],
        [
            'GET /serviceOrder: no parameter offset' => sub {
                my $get = $_[1]{'/serviceOrder'}{get};
                $get->{parameters} = [ grep { $_->{'$ref'} !~ /offset/ }
                        @{ $get->{parameters} } ];
            }
        ],
    );
    is(changed($_->[1]), $_->[0], $_->[0]) for @changes;
};

# What every stack's stop() does with the answers of its test.
my $dir = tempdir('turnup-contract-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $count = 0;
my $json = JSON::PP->new->utf8->canonical;

sub faults_of {
    my ($method, $path, $status, $body, %headers) = @_;
    my $contract = Turnup::Contract->new("$dir/" . $count++);
    for my $api (keys %expected) {
        $contract->add_own($api, ask('GET', "/openapi/$api/v4.json")->{json});
    }
    my $answer = {
        status  => $status,
        content => ref $body ? $json->encode($body) : $body,
        headers => { 'content-type' => 'application/json', %headers },
    };
    $contract->note($method, "/tmf-api/$path", $answer) for 1, 2;
    return [ sort $contract->faults ];
}

my $orders   = 'serviceOrdering/v4/serviceOrder';
my $services = 'serviceInventory/v4/service';
my %made     = (id => '1', href => 'http://h/1');
my %listed   = ('x-result-count' => '1', 'x-total-count' => '1');

subtest 'answers that are as defined' => sub {
    my $item = {
        id      => '1',
        action  => 'add',
        state   => 'pendingExternal',
        service => { note => [ { text => 'x', author => undef } ] },
    };
    my $order = {
        %made,
        state            => 'pendingExternal',
        orderDate        => '2030-01-01T00:00:00.000Z',
        serviceOrderItem => [$item],
        colour           => ['any'],
    };
    my $error = { code => '60', reason => 'x', status => '404' };
    is_deeply(faults_of(@$_), [], "$_->[0] $_->[2]") for (
        [ GET  => "$orders/1?fields=state", 200, $order ],
        [ POST => $orders, 201, $order, location => 'x' ],
        [ GET => $orders,   200, [$order], %listed ],
        [ GET => $orders,   206, [$order], %listed ],
        [ GET => $services, 200, [ { %made, note => [ { text => 'x' } ] } ],
            %listed ],
        [ GET => "$services?fields=name,note.author", 200,
            [ { %made, note => [ {} ] } ], %listed ],
        [ GET => $orders, 206, [$order], %listed, 'x-total-count' => '',
            'content-range' => 'items 1-1/*' ],
        [ GET    => "$orders/1",                 304, '' ],
        [ DELETE => "$orders/1",                 204, '' ],
        [ GET    => 'nowhere/v4/x',              404, $error ],
        [ HEAD   => "$orders/1",                 404, '' ],
    );
};

subtest 'answers that are not' => sub {
    my @cases = (
        [
            [ GET => "$orders/1", 200, { %made, state => 'done' } ],
            qr{^\w+: GET /tmf-api/$orders/1 200: /state 'done' is not one of}
        ],
        [
            [ GET => "$orders/1", 200, { %made, orderDate => '2030-13-01' } ],
            qr{/orderDate '2030-13-01' is not a 'date-time'}
        ],
        [
            [ GET => "$services/1", 200, { %made, isBundle => 'yes' } ],
            qr{/isBundle 'yes' is not of type 'boolean'}
        ],
        [
            [ GET => $services, 200, [ { %made, note => [ {} ] } ], %listed ],
            qr{/0/note/0 'text' is a required property}
        ],
        [
            [ GET => "$orders/1", 404, { code => 60, reason => 'x' } ],
            qr{/code 60 is not of type 'string'}, qr{/status None}
        ],
        [
            [ GET => $orders, 200, [ \%made ], %listed, 'x-result-count' => '2' ],
            qr{x-result-count 2}
        ],
        [
            [ GET => "$services?fields=note", 200,
                [ { %made, note => [ {} ] } ], %listed ],
            qr{/0/note/0 'text' is a required property}
        ],
        [
            [ GET => $orders, 206, [ \%made ], %listed, 'x-total-count' => '',
                'content-range' => 'items 1-1/2' ],
            qr{x-total-count }
        ],
        [
            [ POST => $orders, 201, \%made ], qr{201: location none}
        ],
        [
            [ POST => $orders, 202, \%made ],
            qr{this status of this operation is not defined}
        ],
        [ [ GET    => "$orders/1", 200, '{' ],  qr{is no JSON} ],
        [ [ DELETE => "$orders/1", 204, '{}' ], qr{has a body} ],
        [
            [ GET => "$orders/1", 200, \%made, 'content-type' => 'text/html' ],
            qr{content-type text/html}
        ],
    );
    for my $case (@cases) {
        my ($answer, @patterns) = @$case;
        my $faults = faults_of(@$answer);
        my @missing = grep {
            my $pattern = $_;
            my %by = map { /^(\w+):/ ? ($1 => 1) : () }
                grep { $_ =~ $pattern } @$faults;
            !$by{published} || !$by{own};
        } @patterns;
        ok(!@missing && @$faults == 2 * @patterns, "@$answer[0 .. 2]")
            or diag(explain($faults));
    }
};

end_edge();
done_testing;
