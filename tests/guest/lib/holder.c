// SPDX-License-Identifier: GPL-2.0
/* A process with a lease and a registration; see holder.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../env.h"
#include "heldreg.h"
#include "holder.h"
#include "lease.h"
#include "peer.h"

/* Of the holding process. */
static const struct holder_plan *plan;
static int to_starter;
static int fd;
static char *map;
static struct nic nic;
static int ring;
static struct heldreg reg;
static pthread_t dropper;
static struct holder_report report;

/*
 * Coming into the plight
 */

static int open_ring(void)
{
	struct io_uring_params params = { 0 };

	ring = syscall(SYS_io_uring_setup, 1, &params);
	if (ring < 0)
		return -errno;
	if (plan->way == BY_UNMAPPING &&
	    mmap(NULL, params.sq_off.array, PROT_READ, MAP_SHARED, ring,
		 IORING_OFF_SQ_RING) == MAP_FAILED)
		return -errno;
	return 0;
}

/* With a queue, so that the context is mapped, too, where that matters. */
static int open_nic(void)
{
	int ret = nic_open(&nic, ENV_RXE);

	if (!ret && plan->way == BY_UNMAPPING && !ibv_create_cq(nic.ctx, 1, NULL, NULL, 0))
		ret = -errno;
	return ret;
}

static int open_context(void)
{
	return plan->ring ? open_ring() : open_nic();
}

static int open_buffer(void)
{
	fd = file_open(plan->path, O_RDWR);
	return fd < 0 ? fd : 0;
}

/* In the order they shall end: exit and exec go by the numbers of descriptors. */
static int open_both(void)
{
	bool buffer_first = plan->files[0] == BUFFER;
	int ret = buffer_first ? open_buffer() : open_context();

	if (!ret)
		ret = buffer_first ? open_context() : open_buffer();
	return ret;
}

static int ring_reg(void *addr, size_t len)
{
	struct iovec iov = { .iov_base = addr, .iov_len = len };

	return syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &iov, 1) ? -errno : 0;
}

static int ring_reg_held(struct heldreg *held)
{
	return ring_reg(held->area, held->len);
}

static int start_registering(void)
{
	if (plan->ring)
		return heldreg_start_call(&reg, ring_reg_held, NULL, fd, HOLDER_SIZE, true);
	return heldreg_start(&reg, &nic, fd, HOLDER_SIZE, true);
}

static int register_file(void)
{
	struct ibv_mr *mr;

	if (plan->plight == COMMAND)
		return start_registering();
	map = file_map(fd, HOLDER_SIZE);
	if (!map)
		return -errno;
	return plan->ring ? ring_reg(map, HOLDER_SIZE) :
			    mr_reg(&nic, map, HOLDER_SIZE, MR_SERVER, &mr);
}

static void *drop(void *arg)
{
	(void)arg;
	report.drop = lease_drop(fd);
	return NULL;
}

static void on_signal(int signo)
{
	(void)signo;
}

static int start_drop(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &action, NULL);
	return -pthread_create(&dropper, NULL, drop, NULL);
}

static int come_into_plight(void)
{
	int ret = open_both();

	if (!ret)
		ret = lease_take_all(fd);
	if (!ret)
		ret = register_file();
	if (!ret && plan->plight == DROP)
		ret = start_drop();
	return ret;
}

/*
 * Letting go
 */

/* The context's file is mapped where its queues are. */
static int unmap_context(void)
{
	const char *name = plan->ring ? "[io_uring]" : "/dev/infiniband/uverbs";
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512];
	int ret = -ENOENT;

	while (maps && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, name) ||
		    sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		ret = munmap((void *)start, end - start) ? -errno : 0;
		rewind(maps);
	}
	if (maps)
		fclose(maps);
	return ret;
}

static int unmap_buffer(void)
{
	if (plan->plight == COMMAND)
		return heldreg_leave_file(&reg);
	return munmap(map, HOLDER_SIZE) ? -errno : 0;
}

static int unmap(enum holder_file file)
{
	return file == BUFFER ? unmap_buffer() : unmap_context();
}

static int descriptor(enum holder_file file)
{
	if (file == BUFFER)
		return fd;
	return plan->ring ? ring : nic.ctx->cmd_fd;
}

static int send_away(int file)
{
	int ret = fd_send(to_starter, file);

	close(file);
	return ret;
}

static int let_go(enum holder_file file)
{
	int ret = 0;

	if (plan->way == BY_UNMAPPING) {
		close(descriptor(file));
		return unmap(file);
	}
	/* the context is not mapped */
	if (file == BUFFER)
		ret = unmap_buffer();
	if (ret)
		return ret;
	return plan->way == BY_SENDING ? send_away(descriptor(file)) :
					 plan->letgo(descriptor(file));
}

static int let_go_of_files(void)
{
	int ret = let_go(plan->files[0]);

	if (!ret && plan->files[1])
		ret = let_go(plan->files[1]);
	return ret;
}

static bool context_goes(void)
{
	return plan->files[0] == CONTEXT || plan->files[1] == CONTEXT;
}

static void settle(void)
{
	if (plan->plight == COMMAND)
		report.command = heldreg_finish(&reg);
	if (plan->plight != DROP)
		return;
	if (!context_goes())
		pthread_kill(dropper, SIGUSR1);
	pthread_join(dropper, NULL);
}

/*
 * The process
 */

static void tell(int ret)
{
	report.ret = ret;
	if (write(to_starter, &report, sizeof(report)) != sizeof(report))
		_exit(1);
}

static void wait_for_word(void)
{
	char byte;

	if (read(to_starter, &byte, 1) != 1)
		_exit(1);
}

static void linger_on(void)
{
	execl("/proc/self/exe", "holder", HOLDER_LINGER, NULL);
	tell(-errno);
}

static void exit_and_leave_a_child(void)
{
	if (fork())
		_exit(0);
	tell(0);
	wait_for_word();
	_exit(0);
}

static void let_a_child_exit(void)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	tell(waitpid(child, NULL, 0) == child ? 0 : -errno);
	wait_for_word();
	_exit(0);
}

static void go(void)
{
	switch (plan->way) {
	case BY_EXIT:
		_exit(0);
	case BY_EXEC:
		linger_on();
		break;
	case BY_PARENTS_EXIT:
		exit_and_leave_a_child();
		break;
	case BY_CHILDS_EXIT:
		let_a_child_exit();
		break;
	default:
		tell(let_go_of_files());
	}
}

static void hold(void)
{
	int ret = come_into_plight();

	if (!ret && !plan->files[1])
		report.stays = descriptor(plan->files[0] == BUFFER ? CONTEXT : BUFFER);
	tell(ret);
	wait_for_word();
	go();
	wait_for_word();
	settle();
	tell(0);
	wait_for_word();
	_exit(0);
}

/*
 * Who has started it
 */

int holder_ask(struct holder *holder, struct holder_report *told)
{
	struct pollfd pfd = { .fd = holder->sock, .events = POLLIN };
	ssize_t got;

	if (poll(&pfd, 1, env_ms(5000)) <= 0)
		return -ETIME;
	got = read(holder->sock, told, sizeof(*told));
	return got != sizeof(*told) ? -EPIPE : told->ret;
}

/* A ring cannot be sent. */
static int fetch(pid_t pid, int file)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	int ret = syscall(SYS_pidfd_getfd, pidfd, file, 0);

	if (ret < 0)
		ret = -errno;
	close(pidfd);
	return ret;
}

int holder_start(struct holder *holder, const struct holder_plan *asked)
{
	pid_t parent = getpid();
	int sv[2], ret;

	holder->kept = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return -errno;
	holder->sock = sv[0];
	holder->pid = fork();
	if (!holder->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		close(sv[0]);
		to_starter = sv[1];
		plan = asked;
		hold();
	}
	close(sv[1]);
	ret = holder_ask(holder, &report);
	if (!ret && !asked->files[1])
		holder->kept = fetch(holder->pid, report.stays);
	return holder->kept < -1 ? holder->kept : ret;
}

int holder_go(struct holder *holder)
{
	return write(holder->sock, "g", 1) == 1 ? 0 : -errno;
}

int holder_settle(struct holder *holder, struct holder_report *told)
{
	int ret = holder_go(holder);

	return ret ? ret : holder_ask(holder, told);
}

int holder_reap(struct holder *holder)
{
	unsigned long end = now_ms() + env_ms(5000);

	while (waitpid(holder->pid, NULL, WNOHANG | __WALL) == 0) {
		if (now_ms() > end)
			return -ETIME;
		usleep(1000);
	}
	holder->pid = 0;
	return 0;
}

int holder_end(struct holder *holder)
{
	int ret = 0;

	if (holder->pid) {
		kill(holder->pid, SIGKILL);
		ret = holder_reap(holder);
	}
	if (holder->kept >= 0)
		close(holder->kept);
	if (holder->sock >= 0)
		close(holder->sock);
	holder->kept = -1;
	holder->sock = -1;
	return ret;
}
