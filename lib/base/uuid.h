/* SPDX-License-Identifier: Apache-2.0 */
/* The one form in which ids of rows are taken from outside. */
#ifndef SLUICE_BASE_UUID_H
#define SLUICE_BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>

#define UUID_TEXT_LEN 36

/* 8-4-4-4-12 hexadecimal digits, in either case, and nothing else. */
bool uuid_check(const char *s, size_t n);

#endif
