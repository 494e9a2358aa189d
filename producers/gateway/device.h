/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Phones and the people on them: POST /api/v1/push/register, GET /api/v1/push/devices.
 *
 * A device is (appid, cid), and has up to two identities, a user's and a merchant's. Whoever names only the identity
 * that is missing adds it. Whoever names another user than the device has moves it: the merchant of the previous login
 * goes, unless he is named in the same call; and the other way round. null takes an identity away.
 */
#ifndef SLUICE_GATEWAY_DEVICE_H
#define SLUICE_GATEWAY_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "http/service.h"
#include "schemas/push_device.h"

#define DEVICE_CID_MAX 512
#define DEVICE_NAME_MAX 64 /* bytes of ids, appid */
#define DEVICE_PLATFORM_MAX 32
#define DEVICE_LOCALE_MAX 35
#define DEVICE_APPID_DEFAULT PUSH_APPID_DEFAULT
#define DEVICE_LIMIT_MAX 1000
#define DEVICE_LIMIT_DEFAULT 100

enum identity { IDENTITY_USER, IDENTITY_MERCHANT, IDENTITIES };
extern const char *const IDENTITY_COLUMNS[IDENTITIES]; /* "user_id" */

/* What is said of a device, or asked. Lives in the call's arena. */
struct device {
    const char *appid; /* NULL in a question = any */
    const char *cid;
    const char *platform, *locale; /* NULL = it does not say */
    struct {
        bool given;
        const char *value; /* NULL = the identity goes */
    } identity[IDENTITIES];

    /* Of a question: */
    bool has_active, active;
    int64_t limit;

    /* What came of it: the member that the table cannot take, and what it has there; NULL = it is stored. */
    const char *refused;
    const char *expected;
};

struct job;
struct gateway;

/* Routes of the listener device.listen. */
extern const struct service_route DEVICE_ROUTES[];
extern const size_t DEVICE_ROUTES_N;

enum call_next ask_register(struct http_call *call, void *opaque);
enum call_next ask_devices(struct http_call *call, void *opaque);

/* Complete answers; they finish parked calls. */
void device_stored(struct job *job);
void device_unavailable(struct job *job, const char *detail); /* 502: the database is away, or took too long */
void device_refused(struct job *job, unsigned status, const char *message);
/* The answer of a question, {"ok":true,"devices":[...]}; it does not finish the call. devices: JSON. */
void device_shown(struct job *job, const char *devices);
/* The answer to what the table cannot take: device->refused. It does not finish the call. */
void device_misfit(struct job *job);

#endif
