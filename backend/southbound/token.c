/*
 * Callback tokens.
 */
#include "backend/southbound/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#define MAC_BYTES 16
#define VISIT_MAX 9999

static void
print_mac(str_t secret, str_t text, char out[2 * MAC_BYTES + 1])
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int n = 0;

    (void) HMAC(EVP_sha256(), secret.data, (int) secret.len,
                (const unsigned char *) text.data, text.len, mac, &n);
    for (int i = 0; i < MAC_BYTES; i++) {
        snprintf(out + 2 * i, 3, "%02x", mac[i]);
    }
}

void
token_print(str_t secret, uuid_t activation, int visit, buf_t *out)
{
    char text[64], id[UUID_TEXT + 1], mac[2 * MAC_BYTES + 1];
    int n;

    uuid_print(activation, id);
    n = snprintf(text, sizeof(text), "%s.%d", id, visit);
    print_mac(secret, (str_t){text, (size_t) n}, mac);
    buf_printf(out, "%s.%s", text, mac);
}

bool
token_read(str_t secret, str_t token, uuid_t *ret_activation, int *ret_visit)
{
    char mac[2 * MAC_BYTES + 1];
    uuid_t id;
    size_t i = UUID_TEXT + 1;
    int visit = 0;

    if (token.len < UUID_TEXT + 3 + 2 * MAC_BYTES ||
        token.data[UUID_TEXT] != '.' ||
        !uuid_parse((str_t){token.data, UUID_TEXT}, &id)) {
        return false;
    }
    for (; i < token.len && token.data[i] >= '0' && token.data[i] <= '9';
         i++) {
        visit = 10 * visit + (token.data[i] - '0');
        if (visit > VISIT_MAX) {
            return false;
        }
    }
    if (i == UUID_TEXT + 1 || i + 1 + 2 * MAC_BYTES != token.len ||
        token.data[i] != '.') {
        return false;
    }
    print_mac(secret, (str_t){token.data, i}, mac);
    if (CRYPTO_memcmp(mac, token.data + i + 1, 2 * MAC_BYTES) != 0) {
        return false;
    }
    *ret_activation = id;
    *ret_visit = visit;
    return true;
}
