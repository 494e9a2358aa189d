/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which provider sends to which app and platform:
 *
 *     {"providers": {"NAME": {"kind": "getui", "rate": 500, "streams": 20, "batch": 100, "timeout_ms": 10000, ...}},
 *      "apps": {"APPID": {"android": "NAME", "ios": "NAME2", "*": "NAME"}, "APPID2": "NAME"},
 *      "default": "NAME"}
 *
 * What a provider has besides these is its kind's (docs/express.md). Without a file the cloud function of
 * CLOUD_FUNC_URL is the provider of every app. The app "selftest" always has the mock.
 */
#ifndef SLUICE_PUSH_PROVIDERS_H
#define SLUICE_PUSH_PROVIDERS_H

#include "push/provider.h"

#define PROVIDERS_MAX 16
#define PROVIDER_NAME_MAX 48 /* a-z A-Z 0-9 . _ - */
#define PROVIDERS_FILE_BYTES_MAX ((size_t)1 << 20)
#define PROVIDER_SELFTEST_APP "selftest"

struct provider {
    char name[PROVIDER_NAME_MAX + 1];
    const struct provider_kind *kind;
    void *self;
    int64_t rate;       /* messages a second; 0 = no limit */
    int64_t streams;    /* requests at once */
    int64_t batch;      /* messages of a request */
    int64_t timeout_ms; /* of a request */
};

struct providers {
    struct provider rows[PROVIDERS_MAX];
    size_t n;
    struct json_t *file; /* NULL = none */
    const struct provider *fallback;
    const struct provider *selftest;
};

struct providers_options {
    const char *file;         /* "" = none */
    const char *cloud_url;    /* "" = none; counts without a file only */
    const char *cloud_secret; /* "" = none */
    /* What holds where a provider says nothing. */
    int64_t rate, streams, timeout_ms;
};

/* ERR_CONFIG names provider and member. Say done in any case; *out need not be initialised. */
enum rc providers_load(const struct providers_options *opt, struct providers *out, struct err *err) MUST_USE;
void providers_done(struct providers *p);

/* NULL: there is none for this app and platform. platform may be NULL. */
const struct provider *providers_choose(const struct providers *p, const char *appid, const char *platform);

/* The provider "cloud" of environment alone. secret "" = unsigned. */
void *provider_cloud_make(const char *url, const char *secret) MUST_USE;

#endif
