/* SPDX-License-Identifier: Apache-2.0 */
/* How many requests of one address wait, on routes that everybody may call. On libmicrohttpd's thread only. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "http/service_internal.h"

/* As many entries as there are addresses whose requests hold a place, so limits.parked bounds them. */
struct address_share {
    struct address_share *next;
    unsigned n;
    char address[NET_TEXT_MAX];
};

static struct address_share **place_of(struct service *s, const char *address)
{
    struct address_share **at = &s->shares[hash_bytes(s->share_seed, address, strlen(address)) % SHARE_BUCKETS];
    while (*at != NULL && strcmp((*at)->address, address) != 0) {
        at = &(*at)->next;
    }
    return at;
}

bool share_take(struct http_call *call)
{
    struct service *s = call->service;
    struct address_share **at = place_of(s, call->address);
    if (*at == NULL) {
        *at = xcalloc(1, sizeof **at);
        memcpy((*at)->address, call->address, sizeof call->address);
    }
    if ((*at)->n >= s->opt.limits.parked_per_address) {
        return false; /* n > 0: the entry is somebody's */
    }
    (*at)->n++;
    call->holds_share = true;
    return true;
}

void share_give_back(struct http_call *call)
{
    struct address_share **at = place_of(call->service, call->address);
    if (--(*at)->n == 0) {
        struct address_share *gone = *at;
        *at = gone->next;
        free(gone);
    }
    call->holds_share = false;
}
