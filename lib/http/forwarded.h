/* SPDX-License-Identifier: Apache-2.0 */
/* Who a request comes from, as proxies write it down in X-Forwarded-For. */
#ifndef SLUICE_HTTP_FORWARDED_H
#define SLUICE_HTTP_FORWARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/net.h"

#define FORWARDED_DEPTH_MAX 16

/*
 * lines are the values of all X-Forwarded-For headers in the order they came, which is one list. Takes the depth-th
 * address from its right end: each proxy adds whom it heard from on the right, so what stands further left was said by
 * somebody nobody vouches for. False: the list is shorter, or one of these depth entries is not a numeric address.
 */
bool forwarded_address(const char *const *lines, size_t n, unsigned depth, uint8_t out[NET_BYTES]);

#endif
