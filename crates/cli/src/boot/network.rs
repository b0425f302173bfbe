//! Raising a network interface through rtnetlink (RFC 3549; `linux/rtnetlink.h`): two messages.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, bail};
use rustix::{
    fd::OwnedFd,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink, recv, sendto,
        socket_with,
    },
};

const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const REQUEST_ACKNOWLEDGED: u16 = 0x0001 | 0x0004;
const CREATE_EXCLUSIVE: u16 = 0x0400 | 0x0200;
const UP: u32 = 1;
const ATTRIBUTE_ADDRESS: u16 = 1;
const ATTRIBUTE_LOCAL: u16 = 2;
const HEADER_BYTES: u32 = 16;
const INET: u8 = 2;

/// Sets an interface up, and gives it an address where one is given.
pub(super) fn raise(interface: &str, address: Option<(Ipv4Addr, u8)>) -> Result<()> {
    let index = std::fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).context(interface.to_owned())?;
    let index: u32 = index.trim().parse().context(interface.to_owned())?;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    if let Some((address, prefix_bits)) = address {
        // ifaddrmsg: family, prefix, flags, scope, index; then the address twice.
        let mut body = vec![INET, prefix_bits, 0, 0];
        body.extend(index.to_ne_bytes());
        for kind in [ATTRIBUTE_LOCAL, ATTRIBUTE_ADDRESS] {
            body.extend(8u16.to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(address.octets());
        }
        ask(&socket, NEW_ADDRESS, REQUEST_ACKNOWLEDGED | CREATE_EXCLUSIVE, &body).context("address")?;
    }
    // ifinfomsg: family, padding, type, index, flags, mask.
    let mut body = vec![0, 0, 0, 0];
    body.extend(index.to_ne_bytes());
    body.extend(UP.to_ne_bytes());
    body.extend(UP.to_ne_bytes());
    ask(&socket, NEW_LINK, REQUEST_ACKNOWLEDGED, &body).context("link")
}

/// One message and its acknowledgement.
fn ask(socket: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> Result<()> {
    let mut message = (HEADER_BYTES + u32::try_from(body.len())?).to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([1, 0, 0, 0, 0, 0, 0, 0]); // sequence number, sender
    message.extend(body);
    sendto(socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; 4096];
    let (length, _) = recv(socket, &mut answer, RecvFlags::empty())?;
    // An error message: its header, then 0 or a negated errno.
    match answer.get(16..20).filter(|_| length >= 20) {
        Some([0, 0, 0, 0]) => Ok(()),
        Some(errno) => bail!("refused: {:?}", errno),
        None => bail!("no acknowledgement"),
    }
}
