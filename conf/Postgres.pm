# Postgres: a private PostgreSQL server in a directory of its own, reached by a
# Unix socket only: which programs, which user, which settings. It says what to
# run; conf/stack runs it.
package Postgres;
use v5.32;
use strict;
use warnings;
use File::Glob qw(:bsd_glob);
use IO::Socket::UNIX;
use Process;

# Durable, and otherwise for a small machine.
my %settings = (
    listen_addresses        => '',
    unix_socket_permissions => '0700',
    max_connections         => 50,
    shared_buffers          => '64MB',
    fsync                   => 'on',
    synchronous_commit      => 'on',
    jit                     => 'off',
    max_wal_size            => '2GB',
    wal_compression         => 'lz4',
    checkpoint_timeout      => '15min',
    autovacuum              => 'on',
    log_line_prefix         => '%m [%p] %q%a ',
);

sub new {
    my ($class, $data) = @_;
    return bless { data => $data }, $class;
}

# Makes the database in a directory that exists and is empty.
sub init_command {
    my ($self, $directory) = @_;
    my @options = qw(-U turnup --locale=C.UTF-8 -E UTF8
        --auth-local=trust --auth-host=reject -D);
    return $self->as_user($directory, $self->program('initdb'),
        @options, $directory);
}

# The server, with its socket in that directory.
sub command {
    my ($self, $sockets) = @_;
    my $quoted = '"' . $sockets =~ s/"/""/gr . '"';
    my %set    = (%settings, unix_socket_directories => $quoted);
    return $self->as_user($self->{data}, $self->program('postgres'),
        '-D', $self->{data}, map { ('-c', "$_=$set{$_}") } sort keys %set);
}

# A client program for that socket.
sub client {
    my ($self, $sockets, $name, @options) = @_;
    return ($self->program($name), '-h', $sockets, '-U', 'turnup', @options);
}

# Whether it accepts connections: says hello in protocol 3.0 and is let in.
sub ready {
    my ($self, $sockets) = @_;
    my $socket = IO::Socket::UNIX->new("$sockets/.s.PGSQL.5432") or return 0;
    my $hello  = pack 'N', 3 << 16;
    $hello .= "$_\0" for qw(user turnup database postgres), '';
    print $socket pack('N', 4 + length $hello), $hello;
    my $answer = '';
    read $socket, $answer, 1;
    return $answer eq 'R';
}

# postmaster.pid of a crashed server names a pid. PostgreSQL checks whether
# that pid lives, not whether it is PostgreSQL, and would refuse for ever where
# the number has been given to another process. Nobody working in the data
# directory means nobody is left. Returns whether the file was removed.
sub forget_reused_pid {
    my ($self) = @_;
    my $file   = "$self->{data}/postmaster.pid";
    my ($pid)  = split /\n/, read_file($file) // return 0;
    return 0 if !-d "/proc/$pid";
    my $here = join ':', (stat $self->{data})[ 0, 1 ];
    for (glob '/proc/[0-9]*/cwd') {
        return 0 if join(':', grep { defined } (stat $_)[ 0, 1 ]) eq $here;
    }
    return unlink $file;
}

# A directory for the user that the server runs as, and for nobody else.
sub give {
    my ($self, $directory) = @_;
    chmod 0700, $directory or die "chmod $directory: $!\n";
    return if $> != 0;
    my ($uid, $gid) = (getpwnam $self->user)[ 2, 3 ];
    die "no user postgres: install the package postgresql\n" if !$uid;
    chown $uid, $gid, $directory or die "chown $directory: $!\n";
}

# For root: whoever made the database goes on with it, unless that was root.
sub user {
    my ($self) = @_;
    my $uid = (stat "$self->{data}/PG_VERSION")[4] or return 'postgres';
    return scalar getpwuid $uid;
}

# PostgreSQL refuses to be root. Where its user cannot walk down to the
# directory (a clone below /root), it keeps the one capability that lets it.
sub as_user {
    my ($self, $directory, @command) = @_;
    return @command if $> != 0;
    my ($name, $gid) = (getpwnam $self->user)[ 0, 3 ];
    my @user = ('setpriv', "--reuid=$name", "--regid=$gid", '--init-groups');
    return (@user, '--', @command)
        if system(@user, qw(-- test -w), $directory) == 0;
    my $cap = '+dac_override';
    return (@user, "--inh-caps=$cap", "--ambient-caps=$cap", '--', @command);
}

# Of the version that made the database; for a new one, of the latest.
sub program {
    my ($self, $name) = @_;
    my $version = read_file("$self->{data}/PG_VERSION") // '*';
    chomp $version;
    my @found = sort { version_of($a) <=> version_of($b) }
        glob "/usr/lib/postgresql/$version/bin/$name";
    @found or die "no $name of PostgreSQL $version on this machine\n";
    return $found[-1];
}

sub version_of { return $_[0] =~ m{postgresql/(\d+)/} ? $1 : 0 }

1;
