// SOCK_SEQPACKET Unix sockets: one packet is one message, and descriptors travel with it.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"

namespace postern::sys {

// Who is at the other end, as the kernel says (SO_PEERCRED).
struct PeerCredentials {
    uid_t uid = 0;
    gid_t gid = 0;
    pid_t pid = 0;
};

// A non-blocking listening socket at path, replacing a socket that is there already.
Result<Fd> listen_unix(const std::string& path, mode_t mode, int backlog = 1024);

// A non-blocking connection. Errc::not_found or denied when nobody serves the path; waits for room in
// the listener's backlog until the deadline.
Result<Fd> connect_unix(const std::string& path, const Deadline& deadline);
// The same without waiting: Errc::temporary with sys == EAGAIN when the backlog is full.
Result<Fd> try_connect_unix(const std::string& path);

Result<std::pair<Fd, Fd>> packet_pair();  // two connected SEQPACKET ends, non-blocking
Result<std::pair<Fd, Fd>> stream_pair();  // two connected SOCK_STREAM ends, non-blocking

// Sends one packet, all or nothing. Errc::temporary with sys == EAGAIN when the socket is full.
Result<void> send_packet(int socket, std::string_view bytes, std::span<const int> descriptors = {});

struct ReceivedPacket {
    std::string bytes;
    std::vector<Fd> descriptors;
};
// Errc::closed at the end of the conversation, Errc::invalid for a packet over max_bytes or with more
// than max_descriptors, Errc::temporary with sys == EAGAIN when there is none.
Result<ReceivedPacket> receive_packet(int socket, std::size_t max_bytes, std::size_t max_descriptors);

Result<PeerCredentials> peer_credentials(int socket);

enum class Ready : unsigned char { read, write };
// Waits with poll(2); Errc::timeout at the deadline. A hang-up counts as ready: the next call tells.
Result<void> wait_ready(int fd, Ready ready, const Deadline& deadline);

bool would_block(const Error& error);  // EAGAIN

}  // namespace postern::sys
