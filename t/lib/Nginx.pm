# Nginx: a private, stock nginx with this module loaded.
#
#   my $n = Nginx->start(dir => $dir, http => <<'CONF', san => $san);
#       server { listen 127.0.0.1:%%PORT%%; ... }
#   CONF
#   ... $n->port ... $n->reload ... $n->quit;
#   is_deeply([$n->alarms], []);
#
# %%PORT%% is the first of its ports, %%PORT1%% the next and so on; %%DIR%%
# its directory. With san the module of build/san is loaded with the
# sanitizers' libraries; reports() tells what they found.
package Nginx;
use v5.32;
use strict;
use warnings;
use Cwd            qw(abs_path);
use File::Basename qw(dirname);
use File::Path     qw(make_path);
use IO::Socket::INET;
use Process;
use Turnup::Port;

use constant {
    START_SECONDS => 20,
    STOP_SECONDS  => 20,
    TEMP_DIRS     => [qw(client_body proxy fastcgi uwsgi scgi)],
};

my $root = dirname(dirname(dirname(abs_path(__FILE__))));

# Options: dir, http (text of the http block), main (text before it), workers
# (1), san, module (path). Returns when the first port answers.
sub start {
    my ($class, %option) = @_;
    my $self = bless {
        workers => 1,
        main    => '',
        ports   => [],
        owner   => $$,
        %option
    }, $class;
    my $build = $self->{san} ? 'san' : 'release';
    $self->{module} //= $ENV{TURNUP_MODULE}
      // "$root/build/$build/ngx/ngx_http_tmf_module.so";
    -e $self->{module} or die "there is no $self->{module}: make module\n";
    $self->configure($self->{http});
    return $self->run;
}

sub run {
    my ($self) = @_;
    $self->{pid} = spawn("$self->{dir}/stderr.log", { $self->environment },
        $self->command);
    $self->wait_ready or die "nginx does not start\n",
      read_file("$self->{dir}/error.log"), read_file("$self->{dir}/stderr.log");
    return $self;
}

# nginx -t on another configuration: whether it is right; what nginx says is
# in $self->{verdict}.
sub test {
    my ($self, $http) = @_;
    my $keep = $self->{http};
    $self->configure($http);
    my $log = "$self->{dir}/test.log";
    unlink $log;
    my %environment = $self->environment;
    # nginx -t ends without freeing what it has read.
    $environment{ASAN_OPTIONS} =~ s/detect_leaks=1/detect_leaks=0/
      if $self->{san};
    my $pid = spawn($log, \%environment, $self->command, '-t');
    waitpid $pid, 0;
    my $right = $? == 0;
    $self->{verdict} = read_file($log);
    $self->configure($keep);
    return $right;
}

sub command {
    my ($self) = @_;
    return ('nginx', '-p', $self->{dir}, '-c', "$self->{dir}/nginx.conf",
        '-e', "$self->{dir}/error.log");
}

# Writes the configuration; in use from the next start or reload on.
sub configure {
    my ($self, $http) = @_;
    my $dir = $self->{dir};
    make_path("$dir/temp");
    $self->{http} = $http;
    my $temp = join '', map { "${_}_temp_path $dir/temp/$_;\n" }
      @{ +TEMP_DIRS };
    my $text = $self->main_text . "http {\n$temp$http\n}\n";
    $text =~ s/%%DIR%%/$dir/g;
    $text =~ s/%%PORT(\d*)%%/$self->port($1 || 0)/ge;
    write_file("$dir/nginx.conf", $text);
}

sub main_text {
    my ($self) = @_;
    my $dir  = $self->{dir};
    my $user = getpwuid $>;
    # Only root may choose a user, and the group has to exist.
    my $group = getgrgid((getpwuid $>)[3]);
    my $lines = $> == 0 ? "user $user $group;\n" : '';
    $lines .= join '', map { "env $_;\n" } qw(ASAN_OPTIONS UBSAN_OPTIONS)
      if $self->{san};
    return $lines . <<"CONF";
daemon off;
pid $dir/nginx.pid;
error_log $dir/error.log info;
worker_processes $self->{workers};
load_module $self->{module};
$self->{main}
events { worker_connections 1024; }
CONF
}

# C-ANCHORS: nginx unloads its modules before leaks are looked for, so dlclose
# is taken away; the libraries must come first.
sub environment {
    my ($self) = @_;
    return if !$self->{san};
    my $stub = "$self->{dir}/nodlclose.so";
    if (!-e $stub) {
        open my $cc, '|-', qw(cc -xc -shared -fPIC -o), $stub, '-'
          or die "cc: $!\n";
        print $cc "int dlclose(void *h) { (void) h; return 0; }\n";
        close $cc or die "no $stub\n";
    }
    my @libraries =
      map { output('cc', "-print-file-name=$_.so") } qw(libasan libubsan);
    return (
        LD_PRELOAD   => join(':', @libraries, $stub),
        ASAN_OPTIONS => "log_path=$self->{dir}/asan:detect_leaks=1:"
          . 'fast_unwind_on_malloc=0:detect_odr_violation=0',
        UBSAN_OPTIONS => "log_path=$self->{dir}/ubsan:print_stacktrace=1",
    );
}

sub port {
    my ($self, $index) = @_;
    $self->{ports}[ $index // 0 ] //= Turnup::Port->reserve;
    return $self->{ports}[ $index // 0 ]->number;
}

sub wait_ready {
    my ($self) = @_;
    return wait_until(
        START_SECONDS,
        sub {
            die "nginx has ended\n", $self->log if gone($self->{pid});
            return IO::Socket::INET->new(
                PeerAddr => '127.0.0.1',
                PeerPort => $self->port
            );
        }
    );
}

# The pids of the worker processes; of those that shut down as well.
sub worker_pids {
    my ($self) = @_;
    my @pids;
    for (glob '/proc/[0-9]*/stat') {
        my ($pid, $parent) = (read_file($_) // next) =~ /^(\d+) .*\) \S (\d+)/s;
        push @pids, $pid if $pid && $parent == $self->{pid};
    }
    return sort { $a <=> $b } @pids;
}

# Returns when new workers are there; the old ones may still finish.
sub reload {
    my ($self) = @_;
    my %old = map { $_ => 1 } $self->worker_pids;
    kill HUP => $self->{pid};
    wait_until(START_SECONDS,
        sub { (grep { !$old{$_} } $self->worker_pids) >= $self->{workers} })
      or die "nginx does not reload\n";
}

sub signal {
    my ($self, $signal) = @_;
    kill $signal => $self->{pid};
}

# Gracefully, so that sanitizers can look for leaks. False: it had to be
# killed.
sub quit {
    my ($self) = @_;
    my $pid = $self->{pid} // return 1;
    kill QUIT => $pid;
    my $ended = wait_until(STOP_SECONDS, sub { gone($pid) });
    kill KILL => $self->worker_pids, $pid if !$ended;
    waitpid $pid, 0;
    delete $self->{pid};
    return $ended;
}

sub log { return read_file("$_[0]{dir}/error.log") // '' }

# Lines that no test may leave behind.
sub alarms {
    my ($self) = @_;
    return grep { /\[(?:crit|alert|emerg)\]|assert/i } split /^/, $self->log;
}

# What sanitizers found in code of ours. nginx itself leaves its table of
# connections behind when a worker ends.
sub reports {
    my ($self) = @_;
    my @found;
    for my $path (glob "$self->{dir}/{asan,ubsan}.*") {
        my $text = read_file($path) // next;
        push @found, grep {
                 /ERROR: AddressSanitizer|runtime error/
              || (/leak of/ && m{(?:ngx_module|proto)/|ngx_http_tmf})
        } split /\n{2,}/, $text;
    }
    return @found;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!, $@);
    $self->quit if $$ == $self->{owner};
}

1;
