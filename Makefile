# turnup: build, test, run. GNU make; Debian 12 packages (see conf/packages).
#
#   make            programs and the nginx module, into build/release
#   make run        everything in the foreground     make up / down  behind
#   make test       everything that can fail         make bench      figures
#   make lint       format, static checks            make install
#
# SAN=1 builds with ASan and UBSan into build/san. A fresh machine needs only
# make: run, up, test, lint and bench install the packages first.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.SECONDARY:
CC ?= cc
override SAN := $(filter-out 0,$(if $(filter undefined,$(origin \
	SAN)),$(TURNUP_SAN),$(SAN)))
export TURNUP_SAN := $(SAN)
unexport SAN
B ?= build/$(if $(SAN),san,release)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wimplicit-fallthrough \
	-Werror
comma := ,
SANFLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer)
CFLAGS := -std=gnu11 -g -O$(if $(SAN),1,2) $(WARN) $(SANFLAGS) \
	-fstack-protector-strong $(if $(SAN),,-D_FORTIFY_SOURCE=2) \
	-I. $(shell pg_config --includedir 2>/dev/null | sed 's/^/-I/')
LDFLAGS := $(SANFLAGS)
LIBS := -lpq -levent -l:libhiredis.a -lyajl -lcurl -linih -lcrypto \
	-lpcre2-8 -lsystemd -lm

# Rooms, lowest first; a room may use those above it in this list.
ROOMS := proto backend/base backend/domain backend/tmf backend/store \
	backend/southbound backend/pools
room = $(B)/lib$(subst /,-,$(1)).a
srcs = $(wildcard $(1)/*.c)
objs = $(patsubst %.c,$(B)/%.o,$(1))
reverse = $(if $(1),$(call reverse,$(wordlist 2,99,$(1))) $(firstword $(1)))
ROOM_LIBS := $(foreach r,$(call reverse,$(ROOMS)),$(call room,$(r)))

PROGRAMS := $(B)/turnupd $(B)/turnup-sim $(B)/turnup-load
UNITS := $(patsubst t/unit/%.c,$(B)/unit/%,$(wildcard t/unit/*_test.c))
FUZZERS := $(patsubst t/fuzz/%.c,build/fuzz/%,$(wildcard t/fuzz/*.c))
MODULE := $(B)/ngx/ngx_http_tmf_module.so

.PHONY: all programs units module
all: programs module
programs: $(PROGRAMS)
units: $(UNITS)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

define ROOM_RULE
$(call room,$(1)): $(call objs,$(call srcs,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(AR) rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call ROOM_RULE,$(r))))

$(B)/turnupd: $(call objs,backend/turnupd.c) $(ROOM_LIBS)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/turnup-sim: $(call objs,$(call srcs,t/sim) $(call srcs,t/common)) \
		$(call room,proto)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/turnup-load: $(call objs,$(call srcs,t/bench) $(call srcs,t/common)) \
		$(call room,proto)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

# A unit test names the rooms it needs in its first lines:  /* rooms: proto */
$(B)/unit/%: $(B)/t/unit/%.o $(ROOM_LIBS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lcmocka -ljansson $(LIBS)

module: $(MODULE)
NGX_SRC := /usr/share/nginx/src
MODULE_SRCS := $(call srcs,ngx_module) $(call srcs,proto)
MODULE_DEPS := $(MODULE_SRCS) $(wildcard ngx_module/*.h proto/*.h) \
	ngx_module/module.map
$(B)/ngx/Makefile: config
	@mkdir -p $(B)/ngx
	. $(NGX_SRC)/conf_flags && out=$(abspath $(B))/ngx && repo=$(CURDIR) && \
	cd $(NGX_SRC) && ./configure --with-cc-opt="-g -O2 -fPIC $(SANFLAGS) \
	  -fstack-protector-strong -Wformat -Werror=format-security" \
	  --with-ld-opt="-Wl,-z,relro -Wl,-z,now -fPIC $(SANFLAGS)" \
	  "$${NGX_CONF_FLAGS[@]}" --add-dynamic-module=$$repo --builddir=$$out \
	  > $$out/configure.log
$(MODULE): $(B)/ngx/Makefile $(MODULE_DEPS)
	$(MAKE) -f $(abspath $(B))/ngx/Makefile -C $(NGX_SRC) modules
	@touch $@

# Loaded together with the sanitizers' libraries into a stock nginx: nginx
# unloads its modules before leaks are looked for, which hides their names.
ifneq ($(SAN),)
all: $(B)/nodlclose.so
$(B)/nodlclose.so:
	@mkdir -p $(@D)
	echo 'int dlclose(void *h) { (void) h; return 0; }' | \
	  $(CC) -xc -shared -fPIC -o $@ -
endif

FUZZ_CC := clang
FUZZ_FLAGS := -g -O1 -std=gnu11 -I. \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_ROOMS := proto backend/base backend/domain backend/tmf
FUZZ_OBJS := $(foreach r,$(FUZZ_ROOMS),$(patsubst %.c,build/fuzz/o/%.o,$(call \
	srcs,$(r)))) $(patsubst %,build/fuzz/o/backend/southbound/%.o,http_parse \
	address)
build/fuzz/o/%.o: %.c
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link \
	  $(shell pg_config --includedir 2>/dev/null | sed 's/^/-I/') \
	  -MMD -MP -c -o $@ $<
build/fuzz/%: build/fuzz/o/t/fuzz/%.o $(FUZZ_OBJS)
	$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)
.PHONY: fuzzers
fuzzers: $(FUZZERS)

# Everything below installs what is missing first and builds in a second make,
# which sees the packages the first one brought.
NPROC := $(shell nproc)
BUILD = $(MAKE) --no-print-directory -j$(NPROC)
.PHONY: deps test-deps run up down
deps:
	conf/install-packages
test-deps: deps
	conf/install-packages t/packages
run: deps
	$(BUILD) all
	exec conf/stack run
up: deps
	$(BUILD) all
	conf/stack up
down:
	conf/stack down

# Tests. TURNUP_TEST_QUICK=1 leaves out the sanitizer run and the fuzzers.
# A program that hangs is ended: the whole has to finish on its own.
FUZZ_SECONDS ?= 20
PROVE_JOBS ?= 2
.PHONY: test test-one-build unit blackbox fuzz bench
test: test-deps
	$(BUILD) test-one-build SAN=
ifeq ($(TURNUP_TEST_QUICK),)
	$(BUILD) test-one-build SAN=1
	$(BUILD) fuzzers
	$(MAKE) fuzz
endif

# Built in parallel, then run one after the other.
test-one-build: all units
	$(MAKE) --no-print-directory -j1 unit blackbox

unit: $(UNITS)
	CMOCKA_MESSAGE_OUTPUT=TAP prove -e 'timeout -k 5 300' $(UNITS)

blackbox: all
	TURNUP_BUILD=$(abspath $(B)) TURNUP_MODULE=$(abspath $(MODULE)) \
	  prove -j$(PROVE_JOBS) --timer -e 'timeout -k 60 900 perl -It/lib' t/*.t

# The committed corpus must pass; then new input for a while.
fuzz: $(FUZZERS)
	@set -e; for f in $(notdir $(FUZZERS)); do \
	  found=build/fuzz/found/$$f; mkdir -p $$found; \
	  seeds=$$(ls -d t/fuzz/corpus/$$f t/fuzz/corpus/$${f#fuzz_} \
	    2>/dev/null || :); \
	  dict=$$(ls t/fuzz/$$f.dict t/fuzz/$${f#fuzz_}.dict \
	    2>/dev/null || :); \
	  echo "$$f: corpus, then $(FUZZ_SECONDS) s"; \
	  run="build/fuzz/$$f -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
	    -artifact_prefix=$$found-"; \
	  $$run -runs=0 $$seeds; \
	  $$run -max_total_time=$(FUZZ_SECONDS) -max_len=4096 \
	    $${dict:+-dict=$$dict} $$found $$seeds; \
	done

bench: deps
	$(BUILD) all SAN=
	TURNUP_SAN= perl -It/lib t/bench.pl $(BENCH_ARGS)

# Format and static checks. clang-tidy's rules: .clang-tidy.
NGX_INCLUDES := $(addprefix -I$(NGX_SRC)/src/,core event event/modules \
	os/unix http http/modules http/v2) -I$(B)/ngx
C_FILES := $(sort $(shell find proto ngx_module backend t -name '*.[ch]'))
OUR_FILES := $(filter proto/%.c backend/%.c,$(C_FILES))
NGX_FILES := $(filter ngx_module/%.c,$(C_FILES))
PERL_FILES := conf/stack $(wildcard conf/*.pm t/*.t t/*.pl t/lib/*.pm \
	t/lib/*/*.pm)
TIDY = xargs -d ' ' -P$(NPROC) -n2 sh -c 'clang-tidy --quiet "$$@" -- $(1)' sh
.PHONY: lint lint-format lint-tidy lint-cppcheck lint-scripts
lint: test-deps
	$(MAKE) --no-print-directory -k lint-format lint-tidy lint-cppcheck \
	  lint-scripts
lint-format:
	clang-format --dry-run -Werror $(C_FILES)
lint-tidy: $(B)/ngx/Makefile
	printf %s '$(OUR_FILES)' | $(call TIDY,-std=gnu11 -I. \
	  -I$(shell pg_config --includedir))
	printf %s '$(NGX_FILES)' | $(call TIDY,-std=gnu11 -I. $(NGX_INCLUDES))
# NULL is a pointer on every machine that nginx runs on (varFuncNullUB).
lint-cppcheck: $(B)/ngx/Makefile
	cppcheck -q -j$(NPROC) --std=c11 -I. $(NGX_INCLUDES) --inline-suppr \
	  --enable=warning,performance,portability --error-exitcode=1 \
	  --suppress=missingIncludeSystem --suppress=varFuncNullUB \
	  --suppress='*:$(NGX_SRC)/src/*' \
	  proto backend ngx_module t
lint-scripts:
	for f in $(PERL_FILES); do perl -It/lib -Iconf -wc $$f || exit; done
	bash -n .ci/run && sh -n conf/install-packages
	PYTHONPYCACHEPREFIX=$(abspath build)/pycache \
	  python3 -m py_compile t/lib/validate.py

# Programs, module and configuration where Debian looks for such things;
# a turnup.conf or nginx.conf that is there already stays as it is.
PREFIX ?= /usr/local
ETC := $(DESTDIR)/etc/turnup
SHARE := $(DESTDIR)$(PREFIX)/share/turnup
NGX_SHARE := $(DESTDIR)/usr/share/nginx/modules-available
.PHONY: install clean
install: all
	install -d $(ETC)/families $(ETC)/catalog $(SHARE)/sql $(NGX_SHARE)
	install -D -t $(DESTDIR)$(PREFIX)/sbin $(B)/turnupd
	install -D -m644 -t $(DESTDIR)/usr/lib/nginx/modules $(MODULE)
	echo 'load_module modules/$(notdir $(MODULE));' \
	  > $(NGX_SHARE)/mod-http-tmf.conf
	install -m644 -t $(SHARE)/sql $(wildcard sql/*.sql)
	install -D -m644 -t $(DESTDIR)$(PREFIX)/share/doc/turnup LICENSE \
	  $(wildcard README.md)
	for f in turnup.conf nginx.conf $(patsubst conf/%,%,$(wildcard \
	  conf/families/*.json conf/catalog/*.json)); do \
	  test -e $(ETC)/$$f || sed 's|/usr/local/|$(PREFIX)/|' conf/$$f \
	    > $(ETC)/$$f || exit; done
	install -d $(DESTDIR)/lib/systemd/system
	sed 's|/usr/local/|$(PREFIX)/|' conf/turnupd.service \
	  > $(DESTDIR)/lib/systemd/system/turnupd.service

clean:
	rm -rf build

-include $(shell find $(B) build/fuzz -name '*.d' 2>/dev/null)
