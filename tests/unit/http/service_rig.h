/* SPDX-License-Identifier: Apache-2.0 */
/* A service and bare sockets to it: what the tests of the server for services share. */
#ifndef SLUICE_TESTS_SERVICE_RIG_H
#define SLUICE_TESTS_SERVICE_RIG_H

#include <stddef.h>

#include "http/service.h"

extern struct service *service; /* the one under test; set by the test */

int dial(void);
/* From another address of this machine, "127.0.0.9". */
int dial_from(const char *address);
void say(int fd, const char *text);
void say_bytes(int fd, const void *bytes, size_t n);
/* Everything up to the end of the connection, which is closed. Valid until the next one. */
const char *hear(int fd);
const char *talk(const char *request);

void has(const char *answer, const char *part);
/* A problem document with that status ("HTTP/1.1 400 ") and code. */
void refused(const char *answer, const char *status, const char *code);

#endif
