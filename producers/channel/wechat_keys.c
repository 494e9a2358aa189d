/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/wechat_keys.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct wechat_keys {
    atomic_uint refs;
    size_t n;
    struct wechat_key keys[WECHAT_KEYS_MAX];
    _Atomic int64_t marked_s[WECHAT_KEYS_MAX]; /* the one thing that changes */
};

struct wechat_keys *wechat_keys_new(void)
{
    struct wechat_keys *keys = xcalloc(1, sizeof *keys);
    keys->refs = 1;
    return keys;
}

bool wechat_serial_ok(const char *serial)
{
    size_t n = strspn(serial, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    return n > 0 && n < WECHAT_SERIAL_MAX && serial[n] == '\0';
}

bool wechat_keys_add(struct wechat_keys *keys, const struct wechat_key *key)
{
    if (keys->n == WECHAT_KEYS_MAX || !wechat_serial_ok(key->serial) || wechat_keys_find(keys, key->serial) != NULL) {
        return false;
    }
    keys->keys[keys->n] = *key;
    (void)rsa_ref(key->key);
    keys->n++;
    return true;
}

struct wechat_keys *wechat_keys_ref(struct wechat_keys *keys)
{
    (void)atomic_fetch_add_explicit(&keys->refs, 1, memory_order_relaxed);
    return keys;
}

struct wechat_keys *wechat_keys_unref(struct wechat_keys *keys)
{
    if (keys != NULL && atomic_fetch_sub_explicit(&keys->refs, 1, memory_order_acq_rel) == 1) {
        for (size_t i = 0; i < keys->n; i++) {
            (void)rsa_unref(keys->keys[i].key);
        }
        free(keys);
    }
    return NULL;
}

void wechat_keys_unrefp(struct wechat_keys **keys)
{
    *keys = wechat_keys_unref(*keys);
}

size_t wechat_keys_count(const struct wechat_keys *keys)
{
    return keys->n;
}

const struct wechat_key *wechat_keys_at(const struct wechat_keys *keys, size_t i)
{
    return &keys->keys[i];
}

const struct wechat_key *wechat_keys_find(const struct wechat_keys *keys, const char *serial)
{
    for (size_t i = 0; i < keys->n; i++) {
        if (strcmp(keys->keys[i].serial, serial) == 0) {
            return &keys->keys[i];
        }
    }
    return NULL;
}

/* A store only where there is news: the line is shared by all verifiers. */
void wechat_keys_mark(struct wechat_keys *keys, const struct wechat_key *key, int64_t now_s)
{
    _Atomic int64_t *mark = &keys->marked_s[key - keys->keys];
    if (atomic_load_explicit(mark, memory_order_relaxed) == 0) {
        atomic_store_explicit(mark, now_s, memory_order_relaxed);
    }
}

int64_t wechat_keys_marked_s(const struct wechat_keys *keys, size_t i)
{
    return atomic_load_explicit(&keys->marked_s[i], memory_order_relaxed);
}
