/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of rows: the one form in which they are taken from outside, and new ones. */
#ifndef SLUICE_BASE_UUID_H
#define SLUICE_BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>

#define UUID_TEXT_LEN 36

/* A new one of version 7 (RFC 9562): begins with the time, so that those of one hour lie together in an index. */
void uuid_make(char out[UUID_TEXT_LEN + 1]);

/* 8-4-4-4-12 hexadecimal digits, in either case, and nothing else. */
bool uuid_check(const char *s, size_t n);

#endif
