// SPDX-License-Identifier: GPL-2.0
/* Processes that work for the test on request; see peer.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../env.h"
#include "peer.h"

struct request {
	peer_fn fn;
	char arg[PEER_ARG];
};

struct reply {
	long ret;
	unsigned int ms;
};

unsigned long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000UL + ts.tv_nsec / 1000000;
}

#define CONTROL	CMSG_SPACE(sizeof(int))

/* One message, with a descriptor unless @fd is -1.  Bytes or a negative errno. */
static ssize_t message_send(int sock, void *data, size_t size, int fd)
{
	char control[CONTROL] = { 0 };
	struct iovec iov = { data, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg = (struct cmsghdr *)control;
	ssize_t ret;

	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}
	ret = sendmsg(sock, &msg, MSG_NOSIGNAL);
	return ret < 0 ? -errno : ret;
}

/* One message and its descriptor, or -1, in @fd.  Bytes or a negative errno. */
static ssize_t message_receive(int sock, void *data, size_t size, int *fd)
{
	char control[CONTROL] = { 0 };
	struct iovec iov = { data, size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t ret;

	do {
		ret = recvmsg(sock, &msg, 0);
	} while (ret < 0 && errno == EINTR);
	*fd = -1;
	if (ret >= 0 && CMSG_FIRSTHDR(&msg))
		memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return ret < 0 ? -errno : ret;
}

int fd_send(int sock, int fd)
{
	char byte = 0;
	ssize_t ret = message_send(sock, &byte, 1, fd);

	return ret < 0 ? ret : 0;
}

int fd_receive(int sock)
{
	char byte;
	int fd = -1;
	ssize_t ret = message_receive(sock, &byte, 1, &fd);

	return ret < 0 ? ret : fd;
}

static void wake_up(int signo)
{
	(void)signo;
}

static void serve(int sock)
{
	struct request req;
	struct reply reply;
	unsigned long start;
	int fd;

	while (message_receive(sock, &req, sizeof(req), &fd) == sizeof(req)) {
		start = now_ms();
		reply.ret = req.fn(req.arg, fd);
		reply.ms = now_ms() - start;
		if (write(sock, &reply, sizeof(reply)) != sizeof(reply))
			break;
	}
	_exit(0);
}

int peer_spawn(struct peer *peer)
{
	struct sigaction action = { .sa_handler = wake_up };
	pid_t parent = getpid();
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return -errno;
	peer->pid = fork();
	if (peer->pid < 0)
		return -errno;
	if (!peer->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		close(sv[0]);
		sigaction(SIGUSR1, &action, NULL);
		serve(sv[1]);
	}
	close(sv[1]);
	peer->sock = sv[0];
	return 0;
}

int peer_start(struct peer *peer, peer_fn fn, const void *arg, size_t size, int fd)
{
	struct request req = { .fn = fn };
	ssize_t ret;

	if (size > sizeof(req.arg))
		return -E2BIG;
	if (size)
		memcpy(req.arg, arg, size);
	ret = message_send(peer->sock, &req, sizeof(req), fd);
	return ret < 0 ? ret : 0;
}

int peer_busy(struct peer *peer, unsigned int ms)
{
	struct pollfd pfd = { .fd = peer->sock, .events = POLLIN };

	return poll(&pfd, 1, ms) == 0;
}

long peer_result(struct peer *peer, unsigned int ms)
{
	struct reply reply;

	if (peer_busy(peer, ms))
		return -ETIME;
	if (read(peer->sock, &reply, sizeof(reply)) != sizeof(reply))
		return -EPIPE;
	peer->ms = reply.ms;
	return reply.ret;
}

long peer_call(struct peer *peer, peer_fn fn, const void *arg, size_t size, int fd)
{
	int ret = peer_start(peer, fn, arg, size, fd);

	return ret ? ret : peer_result(peer, env_ms(60000));
}

void peer_interrupt(struct peer *peer)
{
	kill(peer->pid, SIGUSR1);
}

int peer_kill(struct peer *peer, unsigned int ms)
{
	unsigned long end = now_ms() + ms;

	if (peer->pid <= 0)
		return 0;
	kill(peer->pid, SIGKILL);
	while (waitpid(peer->pid, NULL, WNOHANG) == 0) {
		if (now_ms() > end)
			return -ETIME;
		usleep(1000);
	}
	close(peer->sock);
	peer->pid = 0;
	return 0;
}

void peer_end(struct peer *peer)
{
	peer_kill(peer, env_ms(5000));
}
