# Api: what the tests of the APIs have in common: orders as a client writes
# them, what became of them, and the simulated network's side of it.
#
#   use Api;
#   my $t = Turnup->start(families => quick_families());
#   my $order = ordered($t, internet('1'));
#   ends($t, $order->{id}, 'completed');
package Api;
use v5.32;
use strict;
use warnings;
use Cwd            qw(abs_path);
use Exporter       qw(import);
use File::Basename qw(dirname);
use File::Temp     qw(tempdir);
use JSON::PP;
use Test::More;

my $root;
BEGIN { $root = dirname(dirname(dirname(abs_path(__FILE__)))) }
use lib "$root/conf";
use Process;

use constant {
    ORDERS   => '/tmf-api/serviceOrdering/v4/serviceOrder',
    SERVICES => '/tmf-api/serviceInventory/v4/service',
    SPECS    => '/tmf-api/serviceCatalogManagement/v4/serviceSpecification',
    WAIT     => 40,    # seconds for whatever has to happen
};

our @EXPORT = qw(
    ORDERS SERVICES SPECS WAIT
    quick_families internet voip item change removal relies_on
    post_order ordered order ends in_state service item_states errors
    resource told states_told subscribe
    rule subscriber vendor_order counts_of
    is_error text_of
);

my $json = JSON::PP->new->utf8->canonical;

# The families of conf/, with retries that a test can wait for, and whatever
# is to be written differently: (from => to, ...), texts that must be there.
sub quick_families {
    my (@changes) = @_;
    my $dir = tempdir('turnup-families-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my %used;
    @changes = (
        '"attempts": 5, "first": "200ms"',
        '"attempts": 4, "first": "20ms"', @changes
    );
    for my $path (glob "$root/conf/families/*.json") {
        my $text = read_file($path);
        for (my $i = 0; $i < @changes; $i += 2) {
            $used{$i} += $text =~ s/\Q$changes[$i]\E/$changes[$i + 1]/g;
        }
        write_file($dir . '/' . ($path =~ s{.*/}{}r), $text);
    }
    for (my $i = 0; $i < @changes; $i += 2) {
        $used{$i} or die "no family has '$changes[$i]'\n";
    }
    chmod 0755, $dir;
    return $dir;
}

# Items of an order.
sub item {
    my ($id, $action, $service, %rest) = @_;
    return { id => $id, action => $action, service => $service, %rest };
}

sub spec {
    my ($id) = @_;
    return { serviceSpecification => { id => $id, version => '1.0' } };
}

sub characteristics {
    my (%value) = @_;
    return [ map { { name => $_, value => $value{$_} } } sort keys %value ];
}

sub internet {
    my ($id, %rest) = @_;
    my $bandwidth = delete $rest{bandwidth} // '100';
    return item(
        $id, 'add',
        {
            %{ spec('Internet.Service') },
            name                  => "Internet $id",
            serviceCharacteristic => characteristics(
                internetService => {
                    internetBandwidth       => $bandwidth,
                    internetServiceSla      => '99.95',
                    internetServiceMaxSpeed => '200',
                }
            ),
        },
        %rest
    );
}

sub voip {
    my ($id, %rest) = @_;
    return item(
        $id, 'add',
        {
            %{ spec('Voip.Line') },
            name                  => "Line $id",
            serviceCharacteristic => characteristics(codec => 'G.722'),
        },
        %rest
    );
}

# A modify of what runs: (item's id, service's id, characteristics).
sub change {
    my ($id, $service, %value) = @_;
    return item($id, 'modify',
        { id => $service, serviceCharacteristic => characteristics(%value) });
}

sub removal {
    my ($id, $service) = @_;
    return item($id, 'delete', { id => $service });
}

sub relies_on {
    my ($item, @ids) = @_;
    $item->{serviceOrderItemRelationship} = [
        map {
            { relationshipType => 'reliesOn', orderItem => { itemId => $_ } }
        } @ids
    ];
    return $item;
}

sub post_order {
    my ($t, $items, %rest) = @_;
    return $t->post(ORDERS, { serviceOrderItem => $items, %rest });
}

# Posted, and accepted as TMF641 understands it.
sub ordered {
    my ($t, @items) = @_;
    my $reply = post_order($t, \@items);
    $reply->{status} == 201
        or die "order: $reply->{status} $reply->{content}\n";
    return $reply->{json};
}

sub order {
    my ($t, $id) = @_;
    return $t->get(ORDERS . "/$id")->{json};
}

# Waits for a state of the order and gives it back as it is then.
sub in_state {
    my ($t, $id, $state, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $order;
    $t->wait_for(WAIT,
        sub { ($order = order($t, $id)) && $order->{state} eq $state })
        or diag('the order is ', $json->encode($order // {}));
    is($order->{state}, $state, $name // "the order is $state");
    return $order;
}

# Waits for the end, which has to be that one.
sub ends {
    my ($t, $id, $state, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $order;
    $t->wait_for(
        WAIT,
        sub {
            $order = order($t, $id);
            ($order->{state} // '') =~
                /^(?:completed|failed|partial|rejected|cancelled)$/;
        }
    );
    is($order->{state}, $state, $name // "the order ends $state")
        or diag($json->encode($order));
    return $order;
}

sub service {
    my ($t, $id) = @_;
    return $t->get(SERVICES . "/$id")->{json};
}

# "1=completed 2=failed", nested items behind their parents.
sub item_states {
    my ($order) = @_;
    return join ' ', map {
        my $inner = $_->{serviceOrderItem} ? item_states($_) : '';
        "$_->{id}=$_->{state}" . ($inner ? " $inner" : '')
    } @{ $order->{serviceOrderItem} };
}

# All error texts of an order or an item.
sub errors {
    my ($of) = @_;
    return join "\n",
        map { join ' | ', map { $_ // '' } @$_{qw(code reason message)} }
        @{ $of->{errorMessage} // [] };
}

# Notifications.
sub subscribe {
    my ($t, $path, $listener, %rest) = @_;
    my $hub   = $path =~ s{/[^/]*$}{/hub}r;
    my $reply = $t->post($hub, { callback => $listener->url, %rest });
    $reply->{status} == 201 or die "hub: $reply->{status} $reply->{content}\n";
    return $reply->{json}{id};
}

sub resource { return (values %{ $_[0]{event} })[0] }

sub told {
    my ($listener, $id, $type) = @_;
    return grep {
        resource($_)->{id} eq $id && $_->{eventType} =~ ($type // qr/./)
    } $listener->events;
}

# "acknowledged inProgress completed": the states a listener was told.
sub states_told {
    my ($listener, $id) = @_;
    return join ' ', map { resource($_)->{state} }
        told($listener, $id, qr/(?:Create|StateChange)Event$/);
}

# The simulated network.
sub rule {
    my ($t, %rule) = @_;
    my $reply = $t->sim('POST', '/_rules', \%rule);
    $reply->{status} == 201 or die "rule: $reply->{content}\n";
    return $reply->{json}{id};
}

sub subscriber {
    my ($t, $target, $service) = @_;
    return $t->sim('GET', "/$target/subscriber/$service")->{json};
}

# What the vendor has of a service.
sub vendor_order {
    my ($t, $service) = @_;
    return $t->sim('GET', '/_state?prefix=/vendor')
        ->{json}{"/vendor/orders/$service"};
}

# [[method, calls, applied], ...] of one path.
sub counts_of {
    my ($t, $path) = @_;
    my $methods = $t->sim('GET', "/_counts?path=$path")->{json}{methods} // {};
    return join ' ',
        map { "$_=$methods->{$_}{calls}/$methods->{$_}{applied}" }
        grep { $_ ne 'GET' && $methods->{$_}{calls} } sort keys %$methods;
}

# A TMF error: whole, of that status, and pointing where it should.
sub is_error {
    my ($reply, $status, $name, $pointer) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $e    = ref $reply->{json} eq 'HASH' ? $reply->{json} : {};
    my $good = $reply->{status} == $status
        && ($e->{code}    // '') =~ /^\d+$/
        && ($e->{status}  // '') eq $status
        && ($e->{reason}  // '') ne ''
        && ($e->{message} // '') ne '';
    $good &&= ($e->{pointer} // '') eq $pointer if defined $pointer;
    ok($good, "$name: $status")
        or diag("$reply->{status} $reply->{content}");
    return $e;
}

sub text_of { return $json->encode($_[0]) }

1;
