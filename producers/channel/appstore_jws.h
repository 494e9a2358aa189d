/* SPDX-License-Identifier: Apache-2.0 */
/* One thing that the App Store has signed: notification, transaction, renewal. */
#ifndef SLUICE_CHANNEL_APPSTORE_JWS_H
#define SLUICE_CHANNEL_APPSTORE_JWS_H

#include "channel/account.h"
#include "channel/appstore_account.h"
#include "http/body.h"

#define APPSTORE_MS_MAX 253402300799000LL /* the end of the year 9999 */

/*
 * Header, algorithm, chain, signature; then the payload, which is an object. where: "signedPayload", for messages. The
 * first of a call whose signature holds, which is the outermost, makes the verdict genuine. The reason is in *v too.
 */
enum channel_reason appstore_verify_jws(const struct appstore_account *own, const char *where, const char *text,
                                        size_t n, int64_t now_s, struct arena *arena, struct body_value **out_payload,
                                        struct verdict *v);

#endif
