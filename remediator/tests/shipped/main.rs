//! The shipped configuration and runbooks load, agree with the shipped alert rules, and say what the runbook page says.

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod imported;
#[cfg(test)]
mod installation;
#[cfg(test)]
mod labels;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod page;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod rendered;
#[cfg(test)]
mod verbs;
