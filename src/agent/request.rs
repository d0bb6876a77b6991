//! What the kernel is asked: all TCP connections on some local ports, with what it has measured of them.
//!
//! A message of netlink (`linux/netlink.h`) that holds a request of `linux/inet_diag.h`, and in an attribute a program by
//! which the kernel picks sockets: a server of ten thousand connections may have many times as many that are its own.

/// Octets of the header of a netlink message.
pub(super) const HEADER_LEN: usize = 16;
/// The type of a question and of each part of the answer: `SOCK_DIAG_BY_FAMILY`.
pub(super) const SOCKETS: u16 = 20;
/// The attribute of an answer that holds `struct tcp_info`: `INET_DIAG_INFO`.
pub(super) const INFO: u16 = 2;
/// `AF_INET`, as `linux/socket.h` numbers it.
pub(super) const FAMILY_V4: u8 = 2;
/// `AF_INET6`.
pub(super) const FAMILY_V6: u8 = 10;

/// `NLM_F_REQUEST | NLM_F_DUMP`
const FLAGS: u16 = 0x1 | 0x300;
/// `INET_DIAG_REQ_BYTECODE`
const BYTECODE: u16 = 1;
const TCP: u8 = 6;

/// The states in which a connection has exchanged data and still knows its round trip, as bits: ESTABLISHED, FIN-WAIT-1,
/// FIN-WAIT-2, CLOSE-WAIT, LAST-ACK and CLOSING. In SYN-RECEIVED nothing is measured, in TIME-WAIT nothing is kept.
const STATES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;

/// `INET_DIAG_BC_JMP`, `…_S_GE` and `…_S_LE`: the last two compare the local port. The younger `…_S_EQ` would be shorter,
/// and unknown to kernels before 5.7.
const JUMP: u8 = 1;
const PORT_AT_LEAST: u8 = 2;
const PORT_AT_MOST: u8 = 3;
/// Octets of an instruction.
const OPERATION_LEN: u16 = 4;
/// Octets of the instructions for one port: two comparisons with their operands, and a jump.
const PORT_LEN: u16 = 5 * OPERATION_LEN;

/// The question for the connections of one family on `ports`, at most [`AGENT_PORTS_MAX`](crate::base::limits::AGENT_PORTS_MAX) of them.
pub(super) fn request(family: u8, ports: &[u16], sequence: u32) -> Vec<u8> {
    let mut message = vec![0; HEADER_LEN];
    message.extend_from_slice(&[family, TCP, 1 << (INFO - 1), 0]);
    message.extend_from_slice(&STATES.to_ne_bytes());
    // No single socket is meant: ports, addresses, interface and cookie (INET_DIAG_NOCOOKIE).
    message.extend_from_slice(&[0; 40]);
    message.extend_from_slice(&[0xff; 8]);
    let program = program(ports);
    message.extend_from_slice(&length(4 + program.len()).to_ne_bytes());
    message.extend_from_slice(&BYTECODE.to_ne_bytes());
    message.extend_from_slice(&program);
    let mut header = u32::from(length(message.len())).to_ne_bytes().to_vec();
    header.extend_from_slice(&SOCKETS.to_ne_bytes());
    header.extend_from_slice(&FLAGS.to_ne_bytes());
    header.extend_from_slice(&sequence.to_ne_bytes());
    message.iter_mut().zip(header).for_each(|(octet, of_header)| *octet = of_header);
    message
}

/// Takes a socket if its local port is one of `ports`.
///
/// Each instruction says how far to go on if it holds and if not, from its own start. Whoever arrives at the end is taken,
/// whoever goes four octets beyond it is not.
fn program(ports: &[u16]) -> Vec<u8> {
    let mut program = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let left = length(ports.len() - 1 - index);
        // To the next port; behind the last one, out.
        let next = if left == 0 { OPERATION_LEN } else { 0 };
        for (operation, no) in [(PORT_AT_LEAST, PORT_LEN), (PORT_AT_MOST, PORT_LEN - 2 * OPERATION_LEN)] {
            instruction(operation, 8, no + next, &mut program);
            instruction(0, 0, *port, &mut program);
        }
        // A jump goes by its second number alone, and the first must lead to the next instruction.
        instruction(JUMP, 4, OPERATION_LEN + left * PORT_LEN, &mut program);
    }
    program
}

fn instruction(code: u8, yes: u8, no: u16, program: &mut Vec<u8>) {
    program.extend_from_slice(&[code, yes]);
    program.extend_from_slice(&no.to_ne_bytes());
}

/// Lengths are small: the ports are few.
fn length(octets: usize) -> u16 {
    u16::try_from(octets).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::AGENT_PORTS_MAX;

    /// Runs a program as `inet_diag_bc_run` of the kernel does, with the checks of `inet_diag_bc_audit`.
    fn takes(program: &[u8], local: u16) -> bool {
        let number = |at: usize| u16::from_ne_bytes([program[at + 2], program[at + 3]]);
        let (mut at, len) = (0, program.len());
        while at < len {
            let (yes, no) = (usize::from(program[at + 1]), usize::from(number(at)));
            assert!(yes >= 4 && no >= 4 && at + no <= len + 4 && (yes | no) % 4 == 0, "the kernel would refuse this");
            at += match program[at] {
                JUMP => no,
                PORT_AT_LEAST => {
                    if local >= number(at + 4) {
                        yes
                    } else {
                        no
                    }
                }
                PORT_AT_MOST => {
                    if local <= number(at + 4) {
                        yes
                    } else {
                        no
                    }
                }
                other => panic!("no instruction: {other}"),
            };
        }
        at == len
    }

    #[test]
    fn ports_are_picked() {
        for ports in [vec![443], vec![80, 443], vec![1, 2, 3, 65_535]] {
            let program = program(&ports);
            for local in [0, 1, 2, 3, 4, 79, 80, 81, 442, 443, 444, 65_534, 65_535] {
                assert_eq!(takes(&program, local), ports.contains(&local), "{local} of {ports:?}");
            }
        }
    }

    #[test]
    fn the_most_ports_fit() {
        let ports: Vec<u16> = (1..).take(AGENT_PORTS_MAX).collect();
        let message = request(FAMILY_V6, &ports, 7);
        assert_eq!(message.len(), 16 + 56 + 4 + AGENT_PORTS_MAX * usize::from(PORT_LEN));
        assert_eq!(message[..4], u32::try_from(message.len()).unwrap().to_ne_bytes());
        assert_eq!(message[4..12], [20_u16.to_ne_bytes(), 0x301_u16.to_ne_bytes(), [7, 0], [0, 0]].concat());
        assert_eq!(message[16..20], [FAMILY_V6, TCP, 2, 0]);
    }
}
