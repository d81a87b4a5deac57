// SPDX-License-Identifier: GPL-2.0
/* Lines on standard input and output, and unix sockets; see talk.h. */
#include "talk.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

void say_result(const char *word, int ret, uint64_t usec)
{
	say("%s errno=%d usec=%llu text=%s", word, -ret, (unsigned long long)usec,
	    ret ? strerror(-ret) : "done");
}

/* One line without its newline; byte by byte, for poll() must see the rest. */
static bool read_line(char *line, size_t size)
{
	size_t len = 0;
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1) {
		if (c == '\n') {
			line[len] = '\0';
			return true;
		}
		if (len < size - 1)
			line[len++] = c;
	}
	return false;
}

/* False at the end: of input, or by "quit". */
static bool obey(const struct talk_command *commands)
{
	char line[512], *args;

	if (!read_line(line, sizeof(line)) || !strcmp(line, "quit"))
		return false;
	args = line + strcspn(line, " ");
	if (*args)
		*args++ = '\0';
	for (; commands->name; commands++) {
		if (!strcmp(commands->name, line)) {
			commands->run(args);
			return true;
		}
	}
	say("unknown text=%s", line);
	return true;
}

void talk(const struct talk_command *commands, struct talk_source *sources, size_t nr)
{
	struct pollfd fds[TALK_SOURCES + 1];
	bool more = true;

	while (more) {
		fds[nr] = (struct pollfd){ STDIN_FILENO, POLLIN, 0 };
		for (size_t i = 0; i < nr; i++)
			fds[i] = (struct pollfd){ sources[i].fd, POLLIN, 0 };
		if (poll(fds, nr + 1, -1) <= 0)
			continue;
		for (size_t i = 0; i < nr; i++) {
			if (fds[i].revents)
				sources[i].ready();
		}
		if (fds[nr].revents)
			more = obey(commands);
	}
}

static int unix_socket(const char *path, struct sockaddr_un *name)
{
	int sock;

	memset(name, 0, sizeof(*name));
	name->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(name->sun_path))
		return -ENAMETOOLONG;
	strcpy(name->sun_path, path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return sock < 0 ? -errno : sock;
}

static int give_up(int sock)
{
	int error = errno;

	close(sock);
	return -error;
}

int talk_listen(const char *path)
{
	struct sockaddr_un name;
	int sock = unix_socket(path, &name);

	if (sock < 0)
		return sock;
	unlink(path);
	if (bind(sock, (struct sockaddr *)&name, sizeof(name)) || listen(sock, 4))
		return give_up(sock);
	return sock;
}

int talk_connect(const char *path)
{
	struct sockaddr_un name;
	int sock = unix_socket(path, &name);

	if (sock >= 0 && connect(sock, (struct sockaddr *)&name, sizeof(name)))
		return give_up(sock);
	return sock;
}

int talk_swap(int sock, const struct greeting *ours, struct greeting *theirs)
{
	if (send(sock, ours, sizeof(*ours), MSG_NOSIGNAL) != sizeof(*ours))
		return -EPIPE;
	if (recv(sock, theirs, sizeof(*theirs), MSG_WAITALL) != sizeof(*theirs))
		return -EPIPE;
	return 0;
}
