"""What did a person leave on the page, and which tube is it?"""
