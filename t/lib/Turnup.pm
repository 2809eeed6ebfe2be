# Turnup: one private turnup for a black-box test, started by conf/stack in a
# directory and on ports of its own, with everything a test needs to look into
# it and to hurt it. A test reads
#
#   my $t = Turnup->start(families => 't/families');
#   my $order = $t->post('/tmf-api/serviceOrdering/v4/serviceOrder', {...});
#   is $order->{status}, 201;
#   $t->kill9('intake');
#   $t->wait_for(10, sub { ... }, 'the order completes');
#   $t->stop;
#   done_testing;
#
# stop() adds the checks that hold for every test: nothing alarming in nginx's
# log, no sanitizer report, no failed assertion, and every answer as the
# published definitions have it. Whatever happens to the test,
# its servers are stopped at its end; the logs of a failed one are kept.
package Turnup;
use v5.32;
use strict;
use warnings;
use Cwd                   qw(abs_path);
use Fcntl                 qw(:flock);
use File::Basename        qw(dirname);
use File::Glob            qw(:bsd_glob);
use File::Path            qw(make_path remove_tree);
use File::Spec::Functions qw(rel2abs);
use File::Temp            qw(tempdir);
use HTTP::Tiny;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

my $root;
BEGIN { $root = dirname(dirname(dirname(abs_path(__FILE__)))) }
use lib "$root/conf";
use Process;
use Turnup::Contract;
use Turnup::Definitions qw(definitions_dir);
use Turnup::Port;
use Turnup::Listener;

use constant {
    TEST_SECONDS   => 800,    # a test that takes longer is broken
    REPLY_SECONDS  => 30,     # more than tmf_timeout
    DEATH_SECONDS  => 10,
    SAN_SLOWDOWN   => 4,
    LOG_TAIL_LINES => 30,
};

my $owner = $$;
my @alive;
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

$SIG{$_} = sub { exit 1 }
    for qw(INT TERM);
$SIG{ALRM} = sub { die 'no end after ' . TEST_SECONDS . " s\n" };
alarm TEST_SECONDS;

# Options, all of them optional:
#   families, catalog  directories of definitions
#   conf               { 'section.key' => value } over conf/turnup.conf
#   nginx              directives for the locations with tmf_api
#   env                { NAME => value } for the servers
#   home               a directory to keep; else a temporary one
#   allow              pattern of lines in nginx's log that are expected
# Returns when /health answers 200; dies when it does not.
sub start {
    my ($class, %option) = @_;
    my $self = bless {
        port    => Turnup::Port->reserve,
        simport => Turnup::Port->reserve,
        san     => $ENV{TURNUP_SAN} ? 1 : 0,
        killed  => {},
        frozen  => {},
        home    => $option{home} && rel2abs($option{home}),
    }, $class;
    $self->{home} //= tempdir('turnup-XXXXXX', TMPDIR => 1);
    $self->{temporary} = !$option{home};
    $self->{http}      = HTTP::Tiny->new(
        timeout    => REPLY_SECONDS,
        keep_alive => 0
    );
    $self->{contract} = Turnup::Contract->new("$self->{home}/answers");
    make_path("$self->{home}/log");
    chmod 0711, $self->{home};    # PostgreSQL's own user walks through
    push @alive, $self;
    $self->copy_database if !-e "$self->{home}/postgres";
    return $self->up(%option);
}

# Starts (again, after down) with the options given and those before.
sub up {
    my ($self, %option) = @_;
    $option{$_} = rel2abs($option{$_})
        for grep { $option{$_} } qw(families catalog);
    my %of = %{ $self->{option} = { %{ $self->{option} // {} }, %option } };
    local %ENV = (%ENV, %{ $of{env} // {} });
    my $conf = $of{conf} // {};
    $ENV{TURNUP_SET}   = join "\n", map { "$_=$conf->{$_}" } sort keys %$conf;
    $ENV{TURNUP_NGINX} = $of{nginx} // '';
    $ENV{TURNUP_FAMILIES} = $of{families} if $of{families};
    $ENV{TURNUP_CATALOG}  = $of{catalog}  if $of{catalog};
    $self->stack('up')
        or die "the stack does not come up\n",
        log_tail("$self->{home}/log/verbs.log");
    return $self;
}

sub down {
    my ($self) = @_;
    $self->thaw($_) for keys %{ $self->{frozen} };
    return $self->stack('down');
}

# The stack's verbs in this home; what it says goes to log/verbs.log.
sub stack {
    my ($self, $verb) = @_;
    local $ENV{TURNUP_HOME}     = $self->{home};
    local $ENV{TURNUP_PORT}     = $self->{port}->number;
    local $ENV{TURNUP_SIM_PORT} = $self->{simport}->number;
    local $?;
    my $pid = spawn("$self->{home}/log/verbs.log",
        {}, $^X, "$root/conf/stack", $verb);
    waitpid $pid, 0;
    return $? == 0;
}

# initdb takes a second; a prepared directory is copied instead.
sub copy_database {
    my ($self) = @_;
    my $prepared = "$root/build/test-database-$>";
    make_path($prepared);
    open my $lock, '>', "$prepared/lock" or die "$prepared: $!\n";
    flock $lock, LOCK_EX or die "$prepared: $!\n";
    if (!-e "$prepared/postgres") {
        local $ENV{TURNUP_HOME} = $prepared;
        system($^X, "$root/conf/stack", 'init') == 0
            or die "cannot prepare $prepared\n";
    }
    system('cp', '-a', "$prepared/postgres", "$self->{home}/postgres") == 0
        or die "cannot copy $prepared\n";
}

sub home { return $_[0]{home} }
sub url  { return 'http://127.0.0.1:' . $_[0]{port}->number }

# Requests to turnup: (path, [body], [headers]). A body that is a reference is
# sent as JSON. Answer: { status, headers, content, json }; status 599 when
# there was none.
sub get { my ($s, $p, $h) = @_; return $s->request('GET', $p, undef, $h) }

sub delete {
    my ($s, $p, $h) = @_;
    return $s->request('DELETE', $p, undef, $h);
}
sub post  { my ($s, @rest) = @_; return $s->request('POST',  @rest) }
sub patch { my ($s, @rest) = @_; return $s->request('PATCH', @rest) }

sub request {
    my ($self, $method, $path, $body, $headers) = @_;
    my $answer =
        $self->exchange($self->url, $method, $path, $body, $headers);
    $self->{contract}->note($method, $path, $answer);
    return $answer;
}

# The same to the simulated network.
sub sim {
    my ($self, $method, $path, $body) = @_;
    my $at = 'http://127.0.0.1:' . $self->{simport}->number;
    return $self->exchange($at, $method, $path, $body);
}

sub exchange {
    my ($self, $base, $method, $path, $body, $headers) = @_;
    my %options = (headers => {});
    if (defined $body) {
        $options{content} = ref $body ? $json->encode($body) : $body;
        $options{headers}{'Content-Type'} =
            $method eq 'PATCH'
            ? 'application/merge-patch+json'
            : 'application/json';
    }

    # nothing of ours differs in case only
    for my $name (keys %{ $headers // {} }) {
        delete @{ $options{headers} }{
            grep { lc eq lc $name }
                keys %{ $options{headers} }
        };
        $options{headers}{$name} = $headers->{$name};
    }
    my $answer = $self->{http}->request($method, "$base$path", \%options);
    $answer->{json} = eval { $json->decode($answer->{content}) };
    return $answer;
}

# Columns separated by "|"; in list context the rows one by one.
sub sql {
    my ($self, $query) = @_;
    local %ENV = (%ENV, LC_ALL => 'C.UTF-8');
    my $rows = output(
        'psql', '-AtXq',        '-v', 'ON_ERROR_STOP=1',
        '-h',   $self->sockets, '-U', 'turnup',
        '-d',   'turnup',       '-c', $query
    );
    return wantarray ? split /\n/, $rows : $rows;
}

sub redis {
    my ($self, @command) = @_;
    return output('redis-cli', '-s', $self->sockets . '/redis.sock', @command);
}

sub sockets {
    my ($self) = @_;
    return readlink "$self->{home}/sock" // "$self->{home}/sock";
}

sub listener { return Turnup::Listener->start }

# The pids of postgres, redis, sim, turnupd, nginx (their main processes),
# nginx-worker, or of one of turnupd's pools: intake, family:voip, ... In
# scalar context the first.
sub pid_of {
    my ($self, $what)  = @_;
    my ($of,   $title) = ("$self->{home}/pid/$what", undef);
    ($of, $title) =
        ("$self->{home}/pid/turnupd", qr/^turnupd: \Q$what\E(?!\S)/)
        if !-e $of;
    ($of, $title) = ("$self->{home}/pid/nginx", qr/^nginx: worker process$/)
        if $what eq 'nginx-worker';
    my ($leader) = split ' ', read_file($of) // '';
    my @pids     = $leader // ();
    @pids = grep { title($_) =~ $title } descendants($leader)
        if $title && $leader;
    @pids = () if $title && !$leader;
    return wantarray ? @pids : $pids[0];
}

sub title {
    my ($pid) = @_;
    my $line = read_file("/proc/$pid/cmdline") // '';
    return $line =~ tr/\0/ /r =~ s/ +$//r;
}

# All living processes below one.
sub descendants {
    my ($top) = @_;
    my %children;
    for (glob '/proc/[0-9]*/stat') {
        my ($pid, $parent) =
            (read_file($_) // next) =~ /^(\d+) .*\) \S (\d+)/s;
        push @{ $children{$parent} }, $pid if $pid;
    }
    my @found = @{ $children{$top} // [] };
    for (my $i = 0; $i < @found; $i++) {
        push @found, @{ $children{ $found[$i] } // [] };
    }
    return sort { $a <=> $b } @found;
}

# By name or pid; every process of that name. Returns when they are dead.
sub kill9 {
    my ($self, $what) = @_;
    my @pids = $what =~ /^\d+$/ ? $what : $self->pid_of($what);
    @pids or die "no $what to kill\n";
    $self->{killed}{$what} = $self->{killed}{$_} = 1 for @pids;
    kill KILL => @pids;
    wait_until(
        DEATH_SECONDS,
        sub {
            !grep { !gone($_) } @pids;
        }
    ) or die "$what does not die\n";
    return wantarray ? @pids : $pids[0];
}

# Stops a process in its tracks, as a frozen machine would.
sub freeze {
    my ($self, $what) = @_;
    my @pids = $what =~ /^\d+$/ ? $what : $self->pid_of($what);
    @pids or die "no $what to freeze\n";
    kill STOP => @pids;
    $self->{frozen}{$_} = 1 for @pids;
    wait_until(
        DEATH_SECONDS,
        sub {
            !grep { read_file("/proc/$_/stat") !~ /\) T / } @pids;
        }
    ) or die "$what does not freeze\n";
    return wantarray ? @pids : $pids[0];
}

sub thaw {
    my ($self, $what) = @_;
    my @pids = $what =~ /^\d+$/ ? $what : $self->pid_of($what);
    kill CONT => @pids;
    delete @{ $self->{frozen} }{@pids};
}

sub reload_nginx {
    my ($self) = @_;
    kill HUP => $self->pid_of('nginx');
}

# Waits until the condition holds and returns its value; with a name it is a
# test. Under sanitizers everything may take longer.
sub wait_for {
    my ($self, $seconds, $condition, $name) = @_;
    $seconds *= SAN_SLOWDOWN if $self->{san};
    my $value = wait_until($seconds, $condition);
    if (defined $name) {
        local $Test::Builder::Level = $Test::Builder::Level + 1;
        ok($value, $name) or diag("not within $seconds s");
    }
    return $value;
}

# Everything down, then the checks that hold for every test.
sub stop {
    my ($self) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $self->ask_contract;
    ok($self->down, 'the stack stops');
    is(join('',   $self->alarms),  '', 'no alarm in the log of nginx');
    is(join("\n", $self->reports), '', 'no sanitizer report');
    is(join('',   grep { /assert/i } $self->log_lines('turnupd')),
        '', 'no failed assertion in turnupd');
    is(join("\n", $self->{contract}->faults),
        '', 'every answer is as defined');
    diag('no ../shared/tmf: answers not held against what is published')
        if !definitions_dir();
    $self->retire;
}

# What the stack says of itself. A test may leave it without an nginx.
sub ask_contract {
    my ($self) = @_;
    for my $api (qw(serviceOrdering serviceInventory serviceCatalogManagement))
    {
        for my $version (qw(v4 v5)) {
            my $answer = $self->get("/openapi/$api/$version.json");
            $self->{contract}
                ->add_own($version eq 'v4' ? $api : "$api/$version",
                $answer->{json})
                if $answer->{status} == 200;
        }
    }
}

# No longer looked after.
sub retire {
    my ($self) = @_;
    @alive = grep { $_ != $self } @alive;
    $self->clean;
}

# Lines of nginx's log at alert or worse, but for what the test itself did.
sub alarms {
    my ($self) = @_;
    my $allow  = $self->{option}{allow} // qr/(?!)/;
    my @lines  = grep { /\[(?:crit|alert|emerg)\]/ && !/$allow/ }
        $self->log_lines('nginx-error');
    return grep {
        !(/worker process (\d+) exited on signal 9/ && $self->{killed}{$1})
            && !(/bind\(\) to/ && $self->{killed}{nginx})
    } @lines;
}

# What sanitizers have written down; beside ASan, UBSan takes no log_path and
# writes to standard error. nginx itself leaves its table of connections behind
# when a worker ends: a leak counts only where our own code is on the way to it.
sub reports {
    my ($self) = @_;
    my $log = "$self->{home}/log";
    my @found;
    for my $path (glob "$log/*.log") {
        my @lines = grep { /: runtime error: / } split /^/,
            read_file($path) // '';
        push @found, "$path\n", @lines if @lines;
    }
    for my $path (glob("$log/asan.*"), glob("$log/ubsan.*")) {
        my $text = read_file($path) // next;
        $text = join "\n\n", grep {
                   !/leak of/
                || !m{/nginx\+}
                || m{ngx_http_tmf|(?:ngx_module|proto)/}
        } split /\n{2,}/, $text;
        push @found, "$path\n$text"
            if $text !~ /LeakSanitizer/ || $text =~ /leak of/;
    }
    return @found;
}

sub log_lines {
    my ($self, $name) = @_;
    return split /^/, read_file("$self->{home}/log/$name.log") // '';
}

# The home goes, unless something failed.
sub clean {
    my ($self) = @_;
    return if !$self->{temporary};
    if (Test::More->builder->is_passing && !$ENV{TURNUP_KEEP}) {
        remove_tree($self->{home});
        return;
    }
    diag(log_tail($_)) for glob "$self->{home}/log/*.log";
    diag("kept: $self->{home}");
}

sub log_tail {
    my ($path) = @_;
    my @lines  = split /^/, read_file($path) // '';
    splice @lines, 0, -LOG_TAIL_LINES() if @lines > LOG_TAIL_LINES;
    return @lines ? ("--- $path\n", @lines) : ();
}

END {
    # Still alive here means that the test died, or forgot to stop.
    if ($$ == $owner && @alive) {
        alarm 0;
        Test::More->builder->is_passing(0);
        for my $self (@alive) {
            local $?;
            eval { $self->down; 1 } or diag("stop: $@");
            $self->clean;
        }
        $? ||= 1;
    }
}

1;
