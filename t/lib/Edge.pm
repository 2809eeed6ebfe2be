# Edge: the fixture of the edge's tests: nginx with this module, a Redis of its
# own, and the workers in the test's own hands.
#
#   use Edge;
#   start_edge();
#   ... subtests ...
#   end_edge();
#   done_testing;
package Edge;
use v5.32;
use strict;
use warnings;
use Exporter   qw(import);
use File::Temp qw(tempdir);
use Test::More;
use FakeWorker;
use Nginx;
use Process;
use RawHttp;
use RedisServer;

use constant {
    SECONDS      => 15,        # for anything that is awaited
    TEST_SECONDS => 500,
    SLOTS        => 40,        # tmf_max_pending
    BODY_MAX     => 200_000,
    PASSWORD     => 'se cret',
};

our ($redis, $nginx, $worker, $db, %member);
our $order   = '/tmf-api/serviceOrdering/v4/serviceOrder';
our $service = '/tmf-api/serviceInventory/v4/service';
our $spec = '/tmf-api/serviceCatalogManagement/v4/serviceSpecification';
our $valid =
  '{"serviceOrderItem":[{"id":"1","action":"add","service":{}}]}';

our @EXPORT = qw(
  SECONDS SLOTS BODY_MAX
  $redis $nginx $worker $db %member $order $service $spec $valid
  start_edge restart_nginx end_edge http_conf revive wait_for client ask
  health metrics metric through is_error
);

my ($dir, @ended);
my $owner = $$;

$SIG{ALRM} = sub { die 'no end after ' . TEST_SECONDS . " s\n" };
$SIG{$_}   = sub { exit 1 } for qw(INT TERM);
alarm TEST_SECONDS;

END {
    # However the test ends, its servers end with it.
    if ($$ == $owner) {
        local $?;
        $worker->end if $worker;
        $nginx->quit if $nginx;
        $redis->stop if $redis;
    }
}

# Redis, nginx, workers that seem to live.
sub start_edge {
    $dir = tempdir('turnup-edge-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;
    mkdir "$dir/redis";
    $redis = RedisServer->start("$dir/redis", '--requirepass', PASSWORD);
    restart_nginx();
    database();
    revive();
}

# Another nginx in place of the one that runs, if any.
sub restart_nginx {
    my (%option) = @_;
    if ($nginx) {
        ok($nginx->quit, 'nginx stops gracefully');
        push @ended, $nginx;
    }
    my $at = "$dir/nginx" . @ended;
    mkdir $at;
    $nginx = Nginx->start(
        dir  => $at,
        san  => $ENV{TURNUP_SAN},
        http => http_conf(),
        %option
    );
}

# Everything down, then what must hold after every test. allow: lines of
# nginx's log that are expected.
sub end_edge {
    my ($allow) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($nginx->quit, 'nginx stops gracefully');
    my @alarms = map { $_->alarms } @ended, $nginx;
    @alarms = grep { !/$allow/ } @alarms if $allow;
    is(join('', @alarms), '', 'no alarm in the log of nginx');
    is(join("\n", map { $_->reports } @ended, $nginx),
        '', 'no sanitizer report');
    $redis->stop;
}

# The test's own connection, to the database that nginx uses.
sub database {
    $db = $redis->client;
    $db->ask('SELECT', 1);
}

sub http_conf {
    my $address = $redis->address;
    return <<"CONF";
access_log off;
tmf_redis $address "password=@{[ PASSWORD ]}" db=1 prefix=edge:;
tmf_max_pending @{[ SLOTS ]};
client_max_body_size @{[ BODY_MAX ]};
client_body_buffer_size 8k;
server {
    listen 127.0.0.1:%%PORT%%;
    location / { tmf_api all; }
    location = /health  { tmf_health; }
    location = /metrics { tmf_metrics; }
    location = /checked {
        auth_request $service/1;
        alias %%DIR%%/nginx.conf;
    }
}
server {
    listen 127.0.0.1:%%PORT1%%;
    tmf_timeout 300ms;
    tmf_trust_forwarded on;
    tmf_state_profile strict;
    tmf_subject \$http_x_subject;
    location / { tmf_api all; }
}
server {
    listen 127.0.0.1:%%PORT2%%;
    tmf_public_base https://api.example.net/turnup/;
    location /tmf-api/serviceInventory/ {
        tmf_api inventory;
        limit_except GET { deny all; }
    }
    location /tmf-api/serviceOrdering/ { tmf_api ordering; tmf_queue_max 3; }
    location /turnup/ { tmf_api inventory; }
    location /openapi/ { tmf_api inventory; }
}
CONF
}

# Redis is new or empty: workers as they come back.
sub revive {
    database();
    $worker = FakeWorker->new(
        $redis->address,
        prefix   => 'edge:',
        password => PASSWORD,
        db       => 1
    );
    $member{$_} = $worker->heartbeat($_)
      for qw(intake notify keeper family:voip);
    wait_for(sub { health()->{status} == 200 }, 'healthy');
}

sub wait_for {
    my ($condition, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return wait_until(SECONDS, $condition) || fail("never: $name");
}

sub client { return RawHttp->connect($nginx->port(shift)) }

# One request on a connection of its own, to the first port.
sub ask    { return client()->send(@_)->answer }
sub health { return ask('GET', '/health') }

# A request that a worker answers; returns the request taken and the answer.
sub through {
    my ($port, @request) = @_;
    my $client = client($port)->send(@request);
    my ($taken) = eval { $worker->take(1) }
      or die "@request[0, 1]: $@", explain($client->answer);
    $worker->answer($taken, 200, '{"ok":true}');
    return ($taken, $client->answer);
}

# An answer with this status whose body is a TMF error.
sub is_error {
    my ($answer, $status, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $error = $answer->{json} // {};
    my $good =
         $answer->{status} == $status
      && ($answer->{headers}{'content-type'} // '') eq
      'application/json;charset=utf-8'
      && ref $error eq 'HASH'
      && ($error->{'@type'} // '') eq 'Error'
      && ($error->{code}   // '') =~ /^\d+$/
      && length($error->{reason}  // '')
      && length($error->{message} // '')
      && $answer->{body} =~ /"status":"$status"/;
    ok($good, "$status $name")
      or diag(explain($answer));
    return $good;
}

sub metrics { return ask('GET', '/metrics')->{body} }

# The value of one sample, 0 where it is not there.
sub metric {
    my ($name) = @_;
    return metrics() =~ /^\Q$name\E (\S+)$/m ? $1 : 0;
}

1;
