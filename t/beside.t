# Beside another module in one nginx: nchan brings a hiredis of its own, and
# nginx loads modules into one name space. Ours keeps its names to itself.
use v5.32;
use strict;
use warnings;
use HTTP::Tiny;
use Test::More;
use Turnup;
use Turnup::Port;
use Api;

use constant NCHAN => '/usr/lib/nginx/modules/ngx_nchan_module.so';

plan skip_all => 'sanitizers are for our module, not for nchan'
    if $ENV{TURNUP_SAN};
-e NCHAN or BAIL_OUT('libnginx-mod-nchan is missing: make test-deps');

my $t    = Turnup->start;
my $port = Turnup::Port->reserve;
my $home = $t->home;

open my $in, '<', "$home/nginx.conf" or die "nginx.conf: $!\n";
my $conf = do { local $/; <$in> };
my ($number, $own) = ($port->number, $t->url =~ /(\d+)$/);
$conf =~ s/^load_module /load_module @{[NCHAN]};\nload_module /m
    or die "no load_module\n";
$conf =~ s/\b$own\b/$number/g;
$conf =~ s{nginx\.pid}{beside.pid};
$conf =~ s{nginx-error\.log}{beside-error.log};
$conf =~ s{(location /tmf-api/ \{)}{location /channel { nchan_pubsub; nchan_channel_id c; }\n$1};
open my $out, '>', "$home/beside.conf" or die "beside.conf: $!\n";
print {$out} $conf;
close $out;

my $pid = fork // die "fork: $!\n";
if (!$pid) {
    open STDERR, '>', "$home/log/beside.out";
    exec 'nginx', '-p', "$home/nginx", '-c', "$home/beside.conf", '-e',
        "$home/log/beside-error.log", '-g', 'daemon off;'
        or exit 127;
}
END { kill KILL => $pid if $pid }

my $http = HTTP::Tiny->new(timeout => 30);
my $url  = "http://127.0.0.1:$number";
my $reply;
$t->wait_for(
    30,
    sub { $http->get("$url/health")->{status} == 200 },
    'nginx with both modules is up'
);
my $order = $http->post(
    $url . ORDERS,
    {
        headers => { 'content-type' => 'application/json' },
        content => text_of({ serviceOrderItem => [voip('1')] })
    }
);
is($order->{status}, 201, 'an order is accepted');
my ($id) = $order->{headers}{location} =~ m{([^/]+)$};
ends($t, $id, 'completed');
is($http->get($url . ORDERS . "/$id")->{status}, 200, 'and read');
$reply = $http->post("$url/channel", { content => 'hello' });
like($reply->{status}, qr/^20[12]$/, 'the other module answers too');

kill QUIT => $pid;
waitpid $pid, 0;
is($?, 0, 'a clean end');
$pid = 0;
open my $log, '<', "$home/log/beside-error.log" or die "log: $!\n";
is(join('', grep { /\[(?:alert|emerg)\]/ } <$log>), '', 'no alarm');
$t->stop;
done_testing;
